/** What one stage needs to know of the resolved plan, and what follows from it for agents and ledger. Pure. */
import {
  type Content,
  Operation,
  type Overwrites,
  type PrepareStage,
  type Rate,
  type Target,
  type TreeLayout,
} from '@seedstorm/proto';
import type { Assign, Member as LedgerMember, LedgerOptions, Range, WriterRange } from '../ledger/index.js';
import type { HostShare } from '../membership/host-shares.js';
import type { Member } from '../membership/member.js';
import {
  dataRunOf,
  type ErrorPolicy,
  firstNames,
  type LayoutTree,
  type ResolvedDataStage,
  type ResolvedPlan,
  type ResolvedRate,
  type Stability,
  type SyncMode,
  type TreeNames,
} from '../plan/index.js';
import type { MusterPlan } from './muster.js';
import { labelOf, noPlace, type Place } from './rounds.js';

/** What a stage needs of the plan. */
export interface StagePlan extends MusterPlan {
  readonly place: Place;
  readonly runId: string;
  /** The run that the data is called by on the target. */
  readonly dataRunId: string;
  readonly name: ResolvedDataStage['kind'];
  readonly generation: number;
  readonly names: ResolvedDataStage['names'];
  readonly nextNames: ResolvedDataStage['nextNames'];
  readonly content: ResolvedPlan['content'];
  readonly layout: ResolvedPlan['layout'];
  readonly target: ResolvedPlan['target'];
  readonly blockBytes: number;
  readonly leaseUnits: number;
  /** Leases end on multiples of this. */
  readonly grainUnits: number;
  readonly leaseMs: number;
  readonly settleMs: number;
  readonly assign: ResolvedPlan['assign'];
  readonly lanesPerAgent: number | undefined;
  /** Lanes that take part where the plan says nothing and an agent has more; undefined: all. */
  readonly modestLanes: number | undefined;
  readonly queueDepth: number;
  readonly sync: SyncMode;
  /** How long it goes on at most; undefined: until every unit is done. */
  readonly durationMs: number | undefined;
  /** What begins before this does not count. */
  readonly rampMs: number;
  /** It ends when it is as stable as this. */
  readonly until: Stability | undefined;
  /** Whether a pass over the units is followed by another, until the time is over. */
  readonly wraps: boolean;
  /** Whether it may begin only when nobody can still be writing or removing. */
  readonly needsSettled: boolean;
  /** Objects that a delete leaves alone, or that a list does not miss. */
  readonly sparedObjects: readonly number[];
  /** I/O errors that pass. */
  readonly errors: ErrorPolicy;
  /** The rate that all agents keep together; absent: as fast as they can. */
  readonly rate: ResolvedRate | undefined;
  /** Whether agents measure how fast their lanes deal with the data without storage. */
  readonly measuresGenerator: boolean;
  /** Whether each unit has one holder at a time: who mixes must know what a block holds. */
  readonly isExclusive: boolean;
}

/** The plan of stage `index`, `wireStage` on the wire; behind the last stage it clears up. A delete spares `sparedObjects`. */
export function stagePlan(
  plan: ResolvedPlan,
  runId: string,
  index: number,
  wireStage: number,
  stage: ResolvedDataStage,
  sparedObjects: readonly number[],
  place: Place = noPlace,
  agents?: ReadonlySet<string>,
): StagePlan {
  return {
    place,
    agents,
    label: labelOf(stage.kind, place),
    runId,
    dataRunId: dataRunOf(plan),
    index,
    wireStage,
    name: stage.kind,
    delayMs: stage.delayMs,
    dropCaches: stage.dropCaches === undefined ? '' : String(stage.dropCaches),
    generation: stage.generation,
    names: stage.names,
    nextNames: stage.nextNames,
    content: plan.content,
    layout: plan.layout,
    target: targetOf(plan, stage),
    blockBytes: stage.kind === 'mixed' ? stage.mix.blockBytes : plan.blockBytes,
    leaseUnits: plan.leaseUnits,
    grainUnits: plan.grainUnits,
    leaseMs: plan.leaseMs,
    settleMs: plan.settleTimeoutMs,
    assign: plan.assign,
    lanesPerAgent: plan.lanesPerAgent,
    modestLanes: goesToStorage(plan, stage) ? plan.storageLanes : undefined,
    // Calls on names of files go one at a time in each lane.
    queueDepth: plan.target.kind !== 'file' || movesBytes(stage.kind) ? plan.queueDepth : 1,
    sync: changesNames(stage.kind) || stage.kind === 'mixed' ? syncOf(targetOf(plan, stage)) : 'never',
    durationMs: stage.durationMs,
    rampMs: stage.rampMs ?? 0,
    until: stage.until,
    wraps: stage.durationMs !== undefined && (stage.kind === 'mixed' || !changes(stage.kind)),
    needsSettled: changes(stage.kind) || stage.kind === 'mixed',
    isCleanUp: index >= plan.stages.length,
    removesRunFolder: stage.kind === 'delete' && ['file', 's3'].includes(plan.target.kind),
    sparedObjects: stage.kind === 'delete' || stage.kind === 'list' ? sparedObjects : [],
    errors: plan.errors,
    rate: stage.rate,
    measuresGenerator: plan.headroom && goesToStorage(plan, stage) && ['write', 'verify', 'mixed'].includes(stage.kind),
    isExclusive: stage.kind === 'mixed',
  };
}

/** A mixed stage's next round goes on from what of the one before is durable. */
function targetOf({ target }: ResolvedPlan, stage: ResolvedDataStage): ResolvedPlan['target'] {
  const byRounds = stage.kind === 'mixed' && stage.durationMs !== undefined;
  return byRounds && 'sync' in target && target.sync === 'end' ? { ...target, sync: 'range' } : target;
}

/** Whether a stage makes the data that others read. */
export function makesData(kind: ResolvedDataStage['kind']): boolean {
  return kind === 'write' || kind === 'create';
}

/** Whether a stage's I/O leaves the agents' memory. */
function goesToStorage({ target }: ResolvedPlan, stage: ResolvedDataStage): boolean {
  return stage.kind !== 'generate' && ['file', 'block', 's3'].includes(target.kind);
}

/** When a write counts as done. A store keeps an object when it acknowledged all of it. */
function syncOf(target: ResolvedPlan['target']): SyncMode {
  if (target.kind === 's3') return 'file';
  return 'sync' in target ? target.sync : 'never';
}

const operations: Record<ResolvedDataStage['kind'], Operation> = {
  write: Operation.WRITE,
  read: Operation.READ,
  verify: Operation.VERIFY,
  mixed: Operation.MIXED,
  generate: Operation.GENERATE,
  delete: Operation.DELETE,
  stat: Operation.STAT,
  list: Operation.LIST,
  mkdir: Operation.MKDIR,
  create: Operation.CREATE,
  rename: Operation.RENAME,
};

/** Whether a stage moves the units' bytes, and not names alone. */
export function movesBytes(kind: ResolvedDataStage['kind']): boolean {
  return !['delete', 'stat', 'list', 'mkdir', 'rename'].includes(kind);
}

/** Whether a stage changes what is on the target. */
function changes(kind: ResolvedDataStage['kind']): boolean {
  return kind === 'write' || kind === 'delete' || kind === 'mkdir' || kind === 'create' || kind === 'rename';
}

/** Whether a stage may leave something on the target that was not there. */
export function changesNames(kind: ResolvedDataStage['kind']): boolean {
  return changes(kind) && kind !== 'delete';
}

/** The message that gets an agent ready for a stage. */
export function prepareStage(
  plan: StagePlan,
  member: Member,
  shares: ReadonlyMap<string, HostShare>,
  overwrites: Overwrites | undefined,
): { $case: 'prepareStage'; value: PrepareStage } {
  const { layout } = plan;
  return {
    $case: 'prepareStage',
    value: {
      runId: plan.runId,
      stage: plan.wireStage,
      operation: operations[plan.name],
      content: contentMessage(plan.content),
      generation: plan.generation,
      overwrites,
      units: BigInt(layout.units),
      unitsPerObject: BigInt(layout.unitsPerObject),
      objectSizes: [...(layout.sizes ?? [])],
      tree: layout.tree === undefined ? undefined : treeMessage(layout.tree, plan),
      blockBytes: BigInt(plan.blockBytes),
      lanes: plan.lanesPerAgent ?? 0,
      target: targetMessage(plan.target, plan.dataRunId),
      share: shares.get(member.name) ?? { index: 0, of: 1 },
      sparedObjects: plan.sparedObjects.map(BigInt),
      leaseMs: plan.leaseMs,
      queueDepth: plan.queueDepth,
      ioEngine: 'engine' in plan.target ? plan.target.engine : 'auto',
      modestLanes: plan.modestLanes ?? 0,
      dropCaches: plan.dropCaches,
      errors: {
        ofKind: Object.entries(plan.errors.ofKind).map(([kind, most]) => ({ kind, most: BigInt(most) })),
        inAll: BigInt(plan.errors.inAll),
      },
      rate: rateMessage(plan),
      measureGenerator: plan.measuresGenerator,
    },
  };
}

/** A stage's rate on the wire. Its random instants follow from the run's seed and the stage, so that a run can be repeated. */
function rateMessage({ rate, content, index }: StagePlan): Rate | undefined {
  if (rate === undefined) return undefined;
  return { of: rate.of, arrivals: rate.arrivals, seed: BigInt.asUintN(64, content.seed + BigInt(index)) };
}

function treeMessage(tree: LayoutTree, { names, nextNames }: StagePlan): TreeLayout {
  const onWire = ({ renames, shift }: TreeNames) => ({ renames, shift: BigInt(shift) });
  return {
    directories: BigInt(tree.directories),
    filesPerDirectory: BigInt(tree.filesPerDirectory),
    fileBytes: BigInt(tree.fileBytes),
    branching: BigInt(tree.branching),
    names: onWire(names ?? firstNames),
    next: nextNames === undefined ? undefined : onWire(nextNames),
  };
}

/** A plan's content on the wire. */
export function contentMessage(content: ResolvedPlan['content']): Content {
  return {
    seed: content.seed,
    namespace: content.namespace,
    unitBytes: BigInt(content.unitBytes),
    dedupMilli: BigInt(content.dedupMilli),
    windowBits: content.windowBits,
    compressMilli: BigInt(content.compressMilli),
    codec: content.codec,
    recordBytes: content.recordBytes,
  };
}

/** A plan's target on the wire. */
export function targetMessage(target: ResolvedPlan['target'], runId: string): Target {
  switch (target.kind) {
    case 'null':
      return { kind: { $case: 'null', value: {} } };
    case 'memory':
      return { kind: { $case: 'memory', value: { limitBytes: BigInt(target.limitBytes ?? 0) } } };
    case 'file': {
      const { direct, sync, scope, preallocate, shareTarget } = target;
      const value = {
        paths: [...target.paths],
        runFolder: runId,
        direct: String(direct),
        sync,
        scope,
        preallocate: String(preallocate),
        shareTarget,
      };
      return { kind: { $case: 'file', value } };
    }
    case 'block': {
      const { device, identity = '', offsetBytes, sizeBytes = 0, sync } = target;
      const value = { device, identity, offsetBytes: BigInt(offsetBytes), sizeBytes: BigInt(sizeBytes), sync };
      return { kind: { $case: 'block', value } };
    }
    case 's3': {
      const {
        endpoints,
        bucket,
        prefix,
        region = '',
        style,
        ca = '',
        signing,
        attempts,
        backoffMs,
        timeoutMs,
        shareTarget,
      } = target;
      const keys = { bucket, prefix, runFolder: runId };
      const how = { region, style, ca, signing, attempts, backoffMs, timeoutMs, shareTarget };
      return { kind: { $case: 's3', value: { endpoints: [...endpoints], ...keys, ...how } } };
    }
  }
}

/** Whether what an agent wrote is reached by that agent alone. */
export function isLocal(target: ResolvedPlan['target']): boolean {
  return target.kind === 'memory' || (target.kind === 'file' && target.scope === 'local');
}

/** Whether a stage reads what another wrote. */
export function readsBack({ name }: StagePlan): boolean {
  return name === 'verify' || name === 'read';
}

/** Whether what was never written has no part in a stage: nobody could find it. */
function missesNothing(plan: StagePlan): boolean {
  return readsBack(plan) || plan.name === 'stat' || plan.name === 'rename';
}

/** The ledger of a pass of a stage: who may take what follows from what the stage does, and from who wrote the data. */
export function ledgerOptions(
  plan: StagePlan,
  times: { readonly leaseMs: number; readonly marginMs: number },
  members: readonly LedgerMember[],
  writers: readonly WriterRange[],
  nowMs: number,
  leftOut: readonly Range[] = [],
): LedgerOptions {
  return {
    leftOut: missesNothing(plan) || plan.name === 'mixed' ? leftOut : [],
    units: plan.layout.units,
    boundaryUnits: plan.grainUnits,
    leaseUnits: plan.leaseUnits,
    assign: assignOf(plan, members, writers, nowMs),
    leaseMs: times.leaseMs,
    marginMs: times.marginMs,
    settleMs: plan.settleMs,
    durable: (!makesData(plan.name) && plan.name !== 'mixed') || plan.sync !== 'never',
    endsTogether: !plan.wraps,
  };
}

function assignOf(
  plan: StagePlan,
  members: readonly LedgerMember[],
  writers: readonly WriterRange[],
  nowMs: number,
): Assign {
  const overData = plan.name !== 'generate' && writers.length > 0;
  if (isLocal(plan.target) && overData) return { kind: 'dynamic', placement: { kind: 'same', writers } };
  const looksBack = readsBack(plan) || plan.name === 'stat' || plan.name === 'list';
  if (plan.assign === 'static') {
    // Rotated for reading back, so that nobody reads its own writes.
    const [first, ...rest] = members;
    const rotated = looksBack && first !== undefined ? [...rest, first] : members;
    return { kind: 'static', members: rotated, nowMs };
  }
  if (looksBack && overData) return { kind: 'dynamic', placement: { kind: 'other', writers } };
  return { kind: 'dynamic', placement: { kind: 'any' } };
}
