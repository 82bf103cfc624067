/** What a stage says of itself: its progress once a second, and its result at the end. */
import type {
  AgentProgress,
  AgentStageResult,
  FindingCount,
  MixedResult,
  PoolStageResult,
  Progress,
  QueueDepths,
  SecondsResult,
  StageResult,
} from '@seedstorm/proto';
import { nowNs } from '../clock.js';
import type { Coverage } from '../ledger/index.js';
import { cacheResult } from './cache-result.js';
import { bytesOf, bytesOfAgent, countedOf, isTimed, lastDoneOf, mixedBytes, timedResult } from './counted.js';
import { cpuResult, cpuSecondsPerGb } from './cpu-result.js';
import { memoryResult } from './data-against-memory.js';
import { indeterminate } from './findings.js';
import { headroomResult } from './headroom-result.js';
import { LatencyTotals } from './latency-totals.js';
import { between, earliest, latest } from './numbers.js';
import type { Participant } from './participant.js';
import { portResults } from './port-results.js';
import { rateResult } from './rate-result.js';
import type { Stage } from './stage.js';
import { readsBack } from './stage-plan.js';
import { storeResult } from './store-totals.js';

/** Where a stage stands. */
export function stageProgress(stage: Stage): Progress {
  const now = nowNs();
  const { plan } = stage;
  const coverage = stage.passes?.coverage();
  const began = stage.startNs !== 0n && now > stage.startNs;
  const elapsedNs = began ? now - stage.startNs : 0n;
  const agents = byAgent(stage).map(([name, incarnations]) => agentProgress(name, incarnations, coverage, now));
  const bytesDone = mixedBytes(stage) ?? bytesOf(stage, coverage?.done ?? 0);
  const { bytes, ns } = isTimed(stage) ? countedOf(stage, coverage) : { bytes: bytesDone, ns: elapsedNs };
  return {
    runId: plan.runId,
    stage: plan.index,
    stageName: plan.label,
    phase: stage.phase,
    elapsedMs: elapsedNs / 1_000_000n,
    units: BigInt(plan.layout.units),
    unitsDone: BigInt(coverage?.done ?? 0),
    bytesTotal: BigInt(bytesOf(stage, plan.layout.units)),
    bytesPerSecond: sum(agents, (agent) => agent.bytesPerSecond),
    operationsPerSecond: sum(agents, (agent) => agent.operationsPerSecond),
    averageBytesPerSecond: ns > 0n ? bytes / (Number(ns) / 1e9) : 0,
    latency: stage.latencyOfTick.summary(),
    corruptBlocks: BigInt(sum(agents, (agent) => Number(agent.corruptBlocks))),
    errors: BigInt(sum(agents, (agent) => Number(agent.errors))),
    agents,
    durationMs: BigInt(plan.durationMs ?? 0),
    rampMs: BigInt(plan.rampMs),
  };
}

function agentProgress(
  name: string,
  incarnations: Participant[],
  coverage: Coverage | undefined,
  now: bigint,
): AgentProgress {
  const own = coverage?.agents.get(name);
  return {
    name,
    state: incarnations.at(-1)?.member.state ?? 'lost',
    bytesPerSecond: sum(incarnations, (p) => (p.state === 'gone' ? 0 : p.totals.bytesPerSecond(now))),
    operationsPerSecond: sum(incarnations, (p) => (p.state === 'gone' ? 0 : p.totals.operationsPerSecond(now))),
    unitsDone: BigInt(own?.done ?? 0),
    leases: own?.openLeases ?? 0,
    corruptBlocks: BigInt(sum(incarnations, (p) => p.totals.sum('corruptBlocks'))),
    errors: BigInt(sum(incarnations, (p) => p.totals.sum('errors'))),
  };
}

/**
 * How a stage ended. Throughput is what counts of the work, over the time that counts: see counted.ts.
 */
export function stageResult(stage: Stage): StageResult {
  const { plan } = stage;
  const coverage = stage.passes?.coverage();
  const all = [...stage.participants.values()];
  const done = coverage?.done ?? 0;
  const counted = countedOf(stage, coverage);
  const durationNs = lastDoneOf(stage) - stage.startNs;
  const seconds = Number(durationNs) / 1e9;
  const perSecond = (amount: number): number => (counted.ns > 0n ? amount / (Number(counted.ns) / 1e9) : 0);
  const latency = new LatencyTotals();
  for (const { totals } of all) for (const pool of totals.pools) latency.addAll(pool.latency);
  const starts = all.flatMap((p) => (p.startsTogether && p.startedNs !== undefined ? [p.startedNs] : []));
  return {
    stage: plan.index,
    name: plan.name,
    label: plan.label,
    repetition: plan.place.repetition,
    point: plan.place.point,
    complete: stage.isComplete(),
    units: BigInt(plan.layout.units),
    unitsDone: BigInt(done),
    bytes: BigInt(counted.bytes),
    durationNs,
    bytesPerSecond: perSecond(counted.bytes),
    operationsPerSecond: perSecond(counted.operations),
    latency: latency.summary(),
    corruptBlocks: BigInt(sum(all, (p) => p.totals.sum('corruptBlocks'))),
    findingCounts: findingCounts(all),
    errors: BigInt(sum(all, (p) => p.totals.sum('errors'))),
    unitsReworked: BigInt(coverage?.rework ?? 0),
    unitsIndeterminate: BigInt(coverage?.indeterminate ?? 0),
    unitsLost: BigInt(stage.lostUnits),
    unitsByTheirWriter: BigInt(stage.passes?.unitsByTheirWriter ?? 0),
    startSkewNs: between(starts),
    clockErrorNs: stage.clockErrorNs,
    unitsFailed: BigInt(coverage?.failed ?? 0),
    unitsNotWritten: BigInt(coverage?.leftOut ?? 0),
    ioErrors: stage.ioErrors.rows(),
    closeNs: latest(0n, ...all.map((participant) => participant.closeNs)),
    queues: queueDepths(stage, all, seconds),
    cache: cacheResult(readsBack(plan) ? all : []),
    preallocated: all.reduce((total, { fileWork }) => total + (fileWork?.preallocated ?? 0n), 0n),
    preallocateNs: all.reduce((total, { fileWork }) => total + (fileWork?.preallocateNs ?? 0n), 0n),
    existed: BigInt(sum(all, (p) => p.totals.sum('existed'))),
    foreign: BigInt(sum(all, (p) => p.totals.sum('foreign'))),
    folders: BigInt(sum(all, (p) => p.totals.sum('folders'))),
    agents: byAgent(stage).map(([name, incarnations]) => ({
      ...agentResult(name, incarnations, coverage, seconds),
      bytesPerSecond: perSecond(bytesOfAgent(stage, incarnations, coverage)),
    })),
    network: undefined,
    rate: rateResult(stage, all, latency.summary()),
    seconds: secondsResult(stage, all),
    cpuSecondsPerGb: cpuSecondsPerGb(
      all,
      sum(all, ({ totals }) => totals.sum('bytes')),
    ),
    memory: readsBack(plan) ? memoryResult(plan.layout, plan.content, all, readsDirectly(stage, all)) : undefined,
    headroom: headroomResult(plan.name, all, perSecond(counted.bytes)),
    mixed: mixedResult(stage, all),
    cellsInDoubt: BigInt(sum(all, (p) => p.totals.cellsInDoubt)),
    indeterminatePlaces: BigInt(sum(all, (p) => p.totals.indeterminatePlaces)),
    timed: timedResult(stage, coverage, counted),
    classes: stage.classTimes.results(
      all.flatMap(({ totals }) => [...totals.classes.values()]),
      Number(counted.ns) / 1e9,
    ),
    store: storeResult(all.map(({ totals }) => totals.store)),
  };
}

/** The stage's seconds, and when lanes came to their ends. */
function secondsResult({ startNs, seconds }: Stage, all: readonly Participant[]): SecondsResult | undefined {
  const firsts = all.flatMap(({ firstDoneNs }) => firstDoneNs ?? []);
  const lasts = all.flatMap(({ lastDoneNs }) => lastDoneNs ?? []);
  const lastDoneNs = latest(startNs, ...lasts);
  return seconds.result(latest(0n, earliest(lastDoneNs, ...firsts) - startNs), lastDoneNs - startNs);
}

/** Whether nothing that the stage read can have come from a cache of the agents' hosts. */
function readsDirectly({ plan: { target } }: Stage, all: readonly Participant[]): boolean {
  return target.kind !== 'file' || cacheResult(all)?.reads === 'direct';
}

/** What a mixed stage did, beside what is in the classes of operations. */
function mixedResult({ mixed }: Stage, all: readonly Participant[]): MixedResult | undefined {
  const own = mixed?.own;
  if (own === undefined) return undefined;
  const bytesOfKind = (kind: string): number =>
    sum(all, ({ totals }) =>
      sum([...totals.classes.values()], ({ operation, bytes }) => (operation === kind ? bytes : 0)),
    );
  return {
    operations: BigInt(own.doneOperations),
    operationsInDoubt: BigInt(own.operationsInDoubt),
    verifiedBytes: BigInt(bytesOfKind('read')),
    writtenBytes: BigInt(bytesOfKind('write')),
  };
}

/** How many blocks the lanes had in flight: by Little's law the time inside I/O over the time there was. */
function queueDepths({ plan }: Stage, all: readonly Participant[], seconds: number): QueueDepths | undefined {
  const engines = new Set(all.flatMap(({ totals }) => (totals.ioEngine === '' ? [] : totals.ioEngine.split(', '))));
  const lanes = sum(all, ({ totals }) => sum(totals.pools, ({ counters }) => counters.lanes));
  if (engines.size === 0 || lanes === 0) return undefined;
  const greatest = all.flatMap(({ totals }) => totals.pools.map(({ counters }) => Number(counters.greatestInFlight)));
  return {
    engines: [...engines].sort(),
    depth: plan.queueDepth,
    meanPerLane: seconds > 0 ? sum(all, ({ totals }) => totals.sum('ioNs')) / 1e9 / seconds / lanes : 0,
    greatestPerLane: Math.max(0, ...greatest),
    lanes,
  };
}

function agentResult(
  name: string,
  incarnations: Participant[],
  coverage: Coverage | undefined,
  seconds: number,
): Omit<AgentStageResult, 'bytesPerSecond'> {
  const unitsDone = coverage?.agents.get(name)?.done ?? 0;
  const last = incarnations.at(-1);
  return {
    name,
    host: last?.member.host ?? '',
    state: last?.member.state ?? 'lost',
    unitsDone: BigInt(unitsDone),
    pools: poolResults(incarnations),
    sentBytesPerSecond: 0,
    receivedBytesPerSecond: 0,
    ...portResults(last?.totals.hostNetwork, seconds),
    cpu: cpuResult(incarnations),
  };
}

/** The incarnations of each agent that took part, by name. */
export function byAgent({ participants }: Pick<Stage, 'participants'>): [string, Participant[]][] {
  const names = new Map<string, Participant[]>();
  for (const participant of participants.values()) {
    names.set(participant.name, [...(names.get(participant.name) ?? []), participant]);
  }
  return [...names].sort(([a], [b]) => (a < b ? -1 : 1));
}

function findingCounts(all: readonly Participant[]): FindingCount[] {
  const counts = new Map<string, number>();
  for (const { totals } of all) {
    for (const [kind, found] of totals.findingCounts)
      if (kind !== indeterminate) counts.set(kind, (counts.get(kind) ?? 0) + found);
  }
  return [...counts].map(([kind, found]) => ({ kind, count: BigInt(found) }));
}

/** A row a pool. */
export function poolResults(incarnations: readonly Participant[]): PoolStageResult[] {
  return incarnations.flatMap(({ totals }) =>
    totals.pools.map((pool) => ({ counters: pool.counters, latency: pool.latency.summary() })),
  );
}

/** The sum of a number over items. */
export function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
