/** Fills in every default of a plan, and fixes its layout and its generations. Pure: no clock, no I/O, no chance. */

import { treeOf } from './checks-tree.js';
import { defaults, errorKinds } from './choices.js';
import { formatCount } from './format.js';
import { type Geometry, geometryOf } from './geometry.js';
import { firstNames } from './geometry-tree.js';
import { resolveTarget } from './resolve-target.js';
import type {
  ErrorPolicy,
  ResolvedMix,
  ResolvedNetworkStage,
  ResolvedPlan,
  ResolvedRate,
  ResolvedStage,
  ResolvedTarget,
  ResolvedTime,
} from './resolved.js';
import type { Plan } from './schema.js';
import { type Knee, parseKnee } from './schema-sweep.js';
import type { TimeKeys } from './schema-time.js';
import { agentsNeeded, pointsOf, resolvePoint } from './sweep.js';
import { formatRatio, formatSize } from './units.js';

/** What a plan does not say by itself. */
export interface ResolveContext {
  readonly runId: string;
  /** The seed for a plan that sets none; below 2^64. */
  readonly randomSeed: bigint;
  /** CONTENT.md's default dedup window, as an exponent of two, for so many units and a ratio × 1000. */
  readonly defaultWindowBits: (units: number, dedupMilli: number) => number;
  /** The absolute folder of the plan file, which relative target paths start from. */
  readonly planFolder: string;
}

/** The plan with every default filled in. It takes what `parsePlan` returned, and never fails for such a plan. */
export function resolvePlan(plan: Plan, context: ResolveContext): ResolvedPlan {
  const { data } = plan;
  const geometry = geometryOf(plan);
  const { layout } = geometry;
  const dedupMilli = data.dedup?.ratio ?? defaults.ratioMilli;
  const resolved = {
    runId: context.runId,
    content: {
      seed: plan.seed ?? context.randomSeed,
      namespace: plan.namespace ?? context.runId,
      unitBytes: layout.unitBytes,
      dedupMilli,
      windowBits: data.dedup?.window ?? context.defaultWindowBits(layout.units, dedupMilli),
      compressMilli: data.compress?.ratio ?? defaults.ratioMilli,
      codec: data.compress?.codec ?? defaults.codec,
      recordBytes: data.compress?.record ?? defaults.recordBytes,
    },
    layout,
    target: resolveTarget(plan.target, context),
    blockBytes: geometry.blockBytes,
    grainUnits: geometry.grainUnits,
    leaseUnits: geometry.leaseUnits,
    ...resolveConduct(plan, layout, plan.target),
    ...(geometry.shardUnits === undefined ? {} : { shardUnits: geometry.shardUnits }),
    stages: resolveStages(plan, layout.units * layout.unitBytes),
    points: pointsOf(plan.sweep).map((values) => resolvePoint(plan, values)),
    ...resolveKnee(plan),
  };
  return { ...resolved, notes: notesOn(plan, resolved, geometry) };
}

function resolveKnee({ sweep }: Plan): { knee?: Knee } {
  const knee = sweep?.knee === undefined ? undefined : parseKnee(sweep.knee);
  return knee === undefined ? {} : { knee };
}

/** The keys of a plan that say nothing of its data; a sweep is of plans that make theirs. */
type Conduct = Pick<Plan, 'name' | 'assign' | 'agents' | 'load' | 'control' | 'errors' | 'headroom' | 'repeat'> & {
  readonly sweep?: Plan['sweep'];
};

/** How a run goes about its work, whoever made the data and whatever it is. */
export function resolveConduct(
  { name, assign, agents, sweep, load, control, errors, headroom, repeat }: Conduct,
  { tree }: Pick<ResolvedPlan['layout'], 'tree'>,
  target: Pick<ResolvedTarget, 'kind'>,
) {
  return {
    ...(name === undefined ? {} : { name }),
    assign: assign ?? defaults.assign,
    ...(load?.lanesPerAgent === undefined ? {} : { lanesPerAgent: load.lanesPerAgent }),
    storageLanes: defaults.storageLanes,
    // Calls on names, and on files that are opened for one I/O, go one at a time in each lane.
    queueDepth: tree === undefined ? (load?.queueDepth ?? defaults.queueDepth) : 1,
    agentsMinimum: agentsNeeded({ agents, sweep }),
    leaseMs: control?.lease ?? defaults.leaseMs,
    settleTimeoutMs: control?.settleTimeout ?? defaults.settleTimeoutMs,
    errors: resolveErrors(errors, target),
    headroom: headroom ?? defaults.headroom,
    repeat: repeat ?? 1,
  };
}

/** Only storage has errors that pass: what an agent's memory or the generators cannot do ends the stage. */
function resolveErrors(errors: Plan['errors'], target: Pick<ResolvedTarget, 'kind'>): ErrorPolicy {
  if (errors === undefined || target.kind === 'null' || target.kind === 'memory') return { ofKind: {}, inAll: 0 };
  const { upTo } = errors;
  const named = errorKinds.filter((kind) => errors[kind] !== undefined);
  const other = named.length === 0 ? (upTo ?? 0) : 0;
  const ofKind = Object.fromEntries(errorKinds.map((kind) => [kind, errors[kind] ?? other]));
  return { ofKind, inAll: upTo ?? named.reduce((sum, kind) => sum + (errors[kind] ?? 0), 0) };
}

function resolveStages({ stages, target }: Plan, dataBytes: number): ResolvedStage[] {
  /** Write stages since the data was last deleted, which it never is from a device. */
  let writes = 0;
  let names = firstNames;
  const isTree = treeOf(target) !== undefined;
  return stages.map(({ kind, mixed, delay, time: typedTime, dropCaches, network, rename, ...typed }) => {
    const delayMs = delay ?? defaults.delayMs;
    const time = resolveTime(typedTime ?? {});
    if (kind === 'network') return resolveNetwork(delayMs, network);
    if (kind === 'write') {
      writes += 1;
      return { kind, delayMs, generation: writes - 1, ...time, ...resolveRate(typed) };
    }
    if (kind === 'mixed') {
      const generation = Math.max(0, writes - 1);
      const mix = resolveMix(mixed, dataBytes, time.durationMs !== undefined);
      return { kind, delayMs, generation, ...time, ...resolveRate(typed), mix };
    }
    const drops = dropCaches === undefined || dropCaches === false ? {} : { dropCaches };
    const of = isTree ? { names } : {};
    const stage = {
      kind,
      delayMs,
      generation: Math.max(0, writes - 1),
      ...time,
      ...drops,
      ...of,
      ...resolveRate(typed),
    };
    if (kind === 'rename') {
      names = { renames: names.renames + 1, shift: names.shift + (rename?.into === 'next' ? 1 : 0) };
      return { ...stage, nextNames: names };
    }
    if (kind === 'delete') names = firstNames;
    if (kind === 'delete' && target.kind !== 'block') writes = 0;
    return stage;
  });
}

/** The rate of a stage, where it has one. */
export function resolveRate({
  rate,
  arrivals = defaults.arrivals,
}: Pick<Plan['stages'][number], 'rate' | 'arrivals'>): {
  rate?: ResolvedRate;
  sweptRate?: ResolvedRate['arrivals'];
} {
  if (rate === 'sweep') return { sweptRate: arrivals };
  return rate === undefined ? {} : { rate: { ...rate, arrivals } };
}

function resolveMix(mixed: Plan['stages'][number]['mixed'] = {}, dataBytes: number, byTime: boolean): ResolvedMix {
  const { block = defaults.mixedBlockBytes, order = defaults.mixedOrder, stride, theta, amount } = mixed;
  const isWeighed = mixed.read !== undefined || mixed.write !== undefined;
  const reads = mixed.read ?? (isWeighed ? 0 : defaults.mixedReads);
  const writes = mixed.write ?? (isWeighed ? 0 : defaults.mixedWrites);
  const bytes = amount === undefined ? dataBytes / (byTime ? defaults.mixedRounds : 1) : Number(amount);
  return {
    writesOf65536: Math.round((65_536 * writes) / (reads + writes)),
    blockBytes: block,
    order,
    strideBlocks: order === 'strided' ? (stride === undefined ? defaults.mixedStrideBlocks : stride / block) : 0,
    thetaMilli: order === 'zipfian' ? (theta ?? defaults.mixedThetaMilli) : 0,
    operations: Math.max(1, Math.ceil(bytes / block)),
  };
}

/** What of a stage goes by time. */
export function resolveTime({ duration, ramp, until }: TimeKeys): ResolvedTime {
  const rampMs = ramp === undefined || ramp === 0 ? {} : { rampMs: ramp };
  if (until === undefined) return { ...rampMs, ...(duration === undefined ? {} : { durationMs: duration }) };
  const { stable: variation, window: windowMs = defaults.stableWindowMs, atMost } = until;
  return { ...rampMs, durationMs: atMost ?? defaults.stableAtMostMs, until: { variation, windowMs } };
}

/** A network stage. */
export function resolveNetwork(delayMs: number, network: Plan['stages'][number]['network'] = {}): ResolvedNetworkStage {
  return {
    kind: 'network',
    delayMs,
    durationMs: network.duration ?? defaults.networkDurationMs,
    ...(network.pattern === undefined ? {} : { pattern: network.pattern }),
    direction: network.direction ?? defaults.networkDirection,
    blockBytes: network.block ?? defaults.networkBlockBytes,
    streams: network.streams ?? defaults.networkStreams,
  };
}

/** How many objects the plan asks for, and what they are called there. */
function askedObjects(target: Plan['target']): { count: number; noun: string } | undefined {
  if (target.kind === 'file' && target.files?.count !== undefined) return { count: target.files.count, noun: 'files' };
  if (target.kind === 's3' && target.objects?.count !== undefined) {
    return { count: target.objects.count, noun: 'objects' };
  }
  return undefined;
}

function notesOn(plan: Plan, resolved: Omit<ResolvedPlan, 'notes'>, geometry: Geometry): string[] {
  const { layout, leaseUnits } = geometry;
  const { content } = resolved;
  const notes: string[] = [];
  const dataBytes = BigInt(layout.units) * BigInt(layout.unitBytes);
  if (plan.data.size !== undefined && dataBytes !== plan.data.size) {
    notes.push(
      `data.size is rounded up from ${formatSize(plan.data.size)} to ${formatSize(dataBytes)}, a whole number of units`,
    );
  }
  const asked = askedObjects(plan.target);
  if (asked !== undefined && asked.count !== layout.objects) {
    notes.push(
      `${formatCount(layout.units)} units do not share out evenly over ${formatCount(asked.count)} ${asked.noun}: ` +
        `there will be ${formatCount(layout.objects)}, each of ${formatCount(layout.unitsPerObject)} units but the last`,
    );
  }
  const depth = plan.load?.queueDepth;
  if (layout.tree !== undefined && depth !== undefined && depth > 1) {
    notes.push(
      'load.queueDepth has no part in work on a tree of files: each lane has one call at a time, and load.lanesPerAgent says how many there are',
    );
  }
  const window = 2 ** content.windowBits;
  // A cut window has fewer copies than asked; under 1/64 of the data that is hardly seen.
  if (content.dedupMilli > 1000 && layout.units % window !== 0 && window * 64 > layout.units) {
    notes.push(
      `the data is no whole number of dedup windows of ${formatCount(window)} units, ` +
        `so it will deduplicate somewhat less than ${formatRatio(content.dedupMilli)}:1`,
    );
  }
  const leases = Math.ceil(layout.units / (resolved.assign === 'static' ? geometry.grainUnits : leaseUnits));
  if (leases < resolved.agentsMinimum) {
    notes.push(
      `the data makes ${formatCount(leases)} leases for at least ${formatCount(resolved.agentsMinimum)} agents: ` +
        'some will have nothing to do, unless it is cut into more files or objects',
    );
  }
  const { target } = resolved;
  if ((target.kind === 'file' || target.kind === 'block') && target.sync === 'never') {
    notes.push('with sync: never, units that a lost agent wrote count as indeterminate, not as written');
  }
  const mixesByTime = resolved.stages.some((stage) => stage.kind === 'mixed' && stage.durationMs !== undefined);
  if (mixesByTime && 'sync' in target && target.sync === 'end') {
    notes.push('with sync: end, a mixed stage by time makes each range durable: its rounds go on from what is');
  }
  if (target.kind === 'block' && resolved.stages.some(({ kind }) => kind === 'delete')) {
    notes.push('delete removes nothing from a block device: what was written stays there');
  }
  if (target.kind === 'file' && target.scope === 'local') {
    notes.push('with scope: local, what an agent wrote is lost with it: nobody else reaches its storage');
  }
  return notes;
}
