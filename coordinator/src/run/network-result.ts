/** What a network stage says of itself: its progress once a second, and its result at the end. */
import { hostname } from 'node:os';
import {
  type AgentProgress,
  type AgentStageResult,
  type ClassResult,
  type PairResult,
  type Progress,
  StageResult,
} from '@seedstorm/proto';
import { nowNs } from '../clock.js';
import { ClassTimes } from './class-totals.js';
import { cpuResult, cpuSecondsPerGb } from './cpu-result.js';
import { LatencyTotals } from './latency-totals.js';
import { coordinatorName } from './network-peers.js';
import type { NetworkStage } from './network-stage.js';
import { between, earliest, latest } from './numbers.js';
import type { Participant } from './participant.js';
import { portResults } from './port-results.js';
import { byAgent, poolResults, sum } from './stage-result.js';

/** Pairs that a result lists; of thousands only the slowest matter. */
const maxPairs = 1000;

/** Where a network stage stands. Rates are of what is sent, as the senders' counters say. */
export function networkProgress(stage: NetworkStage): Progress {
  const now = nowNs();
  const { plan } = stage;
  const elapsedNs = stage.startNs !== 0n && now > stage.startNs ? now - stage.startNs : 0n;
  const agents = byAgent(stage).map(([name, incarnations]) => agentProgress(name, incarnations, now));
  const sent = sum([...stage.participants.values()], ({ totals }) => totals.sum('bytes')) + hostSum(stage, 'bytes');
  return {
    runId: plan.runId,
    stage: plan.index,
    stageName: plan.label,
    phase: stage.phase,
    elapsedMs: elapsedNs / 1_000_000n,
    units: 0n,
    unitsDone: 0n,
    bytesTotal: 0n,
    bytesPerSecond: sum(agents, (agent) => agent.bytesPerSecond),
    operationsPerSecond: sum(agents, (agent) => agent.operationsPerSecond),
    averageBytesPerSecond: elapsedNs > 0n ? sent / (Number(elapsedNs) / 1e9) : 0,
    latency: stage.latencyOfTick.summary(),
    corruptBlocks: 0n,
    errors: BigInt(sum(agents, (agent) => Number(agent.errors))),
    agents,
    rampMs: 0n,
    durationMs: BigInt(plan.stage.durationMs),
  };
}

function agentProgress(name: string, incarnations: readonly Participant[], now: bigint): AgentProgress {
  const living = incarnations.filter(({ state }) => state !== 'gone');
  return {
    name,
    state: incarnations.at(-1)?.member.state ?? 'lost',
    bytesPerSecond: sum(living, ({ totals }) => totals.bytesPerSecond(now)),
    operationsPerSecond: sum(living, ({ totals }) => totals.operationsPerSecond(now)),
    unitsDone: 0n,
    leases: 0,
    corruptBlocks: 0n,
    errors: BigInt(sum(incarnations, ({ totals }) => totals.sum('errors'))),
  };
}

/**
 * How a network stage ended. Throughput is the bytes that were received, and not what senders' systems took, over the time
 * from the common start to the last of them; over the plan's time at least, or a network that went dead would show the rate
 * that it had while it lived.
 */
export function networkResult(stage: NetworkStage): StageResult {
  const { plan, host } = stage;
  const all = [...stage.participants.values()];
  const ends = all.flatMap(({ lastDoneNs }) => (lastDoneNs === undefined ? [] : [lastDoneNs]));
  if (host !== undefined && host.lastDoneNs > 0n) ends.push(host.lastDoneNs);
  const lastDoneNs = latest(stage.startNs, ...ends) - stage.startNs;
  const durationNs = stage.isComplete() ? latest(lastDoneNs, BigInt(plan.stage.durationMs) * 1_000_000n) : lastDoneNs;
  const seconds = Number(durationNs) / 1e9;
  const perSecond = (count: number): number => (seconds > 0 ? count / seconds : 0);
  const total = (counter: 'bytes' | 'receivedBytes' | 'operations' | 'errors'): number =>
    sum(all, ({ totals }) => totals.sum(counter)) + hostSum(stage, counter);
  const latency = new LatencyTotals();
  for (const pool of [...all.flatMap(({ totals }) => totals.pools), ...(host?.pools ?? [])])
    latency.addAll(pool.latency);
  const starts = all.flatMap(({ startedNs }) => (startedNs === undefined ? [] : [startedNs]));
  const pairs = pairResults(stage, perSecond);
  return {
    // What a network stage has not: units, faults, files.
    ...StageResult.fromPartial({}),
    stage: plan.index,
    name: plan.name,
    label: plan.label,
    repetition: plan.place.repetition,
    point: plan.place.point,
    complete: stage.isComplete(),
    bytes: BigInt(total('receivedBytes')),
    durationNs,
    bytesPerSecond: perSecond(total('receivedBytes')),
    operationsPerSecond: perSecond(total('operations')),
    latency: latency.summary(),
    errors: BigInt(total('errors')),
    startSkewNs: between(starts),
    clockErrorNs: stage.clockErrorNs,
    closeNs: latest(0n, ...all.map(({ closeNs }) => closeNs)),
    agents: [
      ...byAgent(stage).map(([name, incarnations]) => agentResult(name, incarnations, seconds)),
      ...hostResult(stage, perSecond),
    ],
    classes: classResults(stage, seconds),
    cpuSecondsPerGb: cpuSecondsPerGb(all, total('bytes')),
    network: {
      pattern: stage.pattern,
      sentBytes: BigInt(total('bytes')),
      receivedBytes: BigInt(total('receivedBytes')),
      pairs: pairs.slice(0, maxPairs),
      pairCount: BigInt(pairs.length),
      strangers: sumOf(stage.places.map(({ ended }) => ended?.strangers ?? 0n)) + BigInt(host?.strangers ?? 0),
      firstDoneNs: ends.length > 0 ? latest(0n, earliest(lastDoneNs + stage.startNs, ...ends) - stage.startNs) : 0n,
      lastDoneNs,
    },
  };
}

/** What was sent by class, the coordinator's own lanes included. */
function classResults({ participants, classTimes, host }: NetworkStage, seconds: number): ClassResult[] {
  const times = new ClassTimes();
  times.addAll(classTimes);
  if (host !== undefined) times.addAll(host.classTimes);
  const ofAgents = [...participants.values()].flatMap(({ totals }) => [...totals.classes.values()]);
  return times.results([...ofAgents, ...(host?.classes ?? [])], seconds);
}

function agentResult(name: string, incarnations: readonly Participant[], seconds: number): AgentStageResult {
  const last = incarnations.at(-1);
  const rate = (counter: 'bytes' | 'receivedBytes'): number =>
    seconds > 0 ? sum(incarnations, ({ totals }) => totals.sum(counter)) / seconds : 0;
  return {
    name,
    host: last?.member.host ?? '',
    state: last?.member.state ?? 'lost',
    unitsDone: 0n,
    bytesPerSecond: rate('receivedBytes'),
    pools: poolResults(incarnations),
    sentBytesPerSecond: rate('bytes'),
    receivedBytesPerSecond: rate('receivedBytes'),
    ...portResults(last?.totals.hostNetwork, seconds),
    cpu: cpuResult(incarnations),
  };
}

/** The coordinator's own host, where it takes part. */
function hostResult(stage: NetworkStage, perSecond: (count: number) => number): AgentStageResult[] {
  if (stage.host === undefined) return [];
  const received = perSecond(hostSum(stage, 'receivedBytes'));
  return [
    {
      name: coordinatorName,
      host: hostname(),
      state: 'present',
      unitsDone: 0n,
      bytesPerSecond: received,
      pools: stage.host.pools.map(({ counters, latency }) => ({ counters, latency: latency.summary() })),
      sentBytesPerSecond: perSecond(hostSum(stage, 'bytes')),
      receivedBytesPerSecond: received,
      ports: [],
      tcpRetransmits: 0n,
      cpu: undefined,
    },
  ];
}

/** Each direction of each pair, the slowest first. */
function pairResults(stage: NetworkStage, perSecond: (count: number) => number): PairResult[] {
  const pairs = stage.targets.flatMap((to, from) => to.map((number) => pairResult(stage, from, number, perSecond)));
  return pairs.sort((a, b) => a.bytesPerSecond - b.bytesPerSecond);
}

function pairResult(stage: NetworkStage, from: number, to: number, perSecond: (count: number) => number): PairResult {
  const sent = toldBy(stage, from)?.find(({ number }) => number === to);
  const received = toldBy(stage, to)?.find(({ number }) => number === from);
  const bytes = received?.receivedBytes ?? sent?.sentBytes ?? 0n;
  return {
    from: stage.nameOf(from),
    to: stage.nameOf(to),
    bytes,
    bytesPerSecond: perSecond(Number(bytes)),
    broken: latest(sent?.broken ?? 0n, received?.broken ?? 0n),
    why: sent?.why || received?.why || '',
  };
}

interface Told {
  readonly number: number;
  readonly sentBytes: bigint;
  readonly receivedBytes: bigint;
  readonly broken: bigint;
  readonly why: string;
}

/** What a number told of its peers; undefined of one that was lost. */
function toldBy(stage: NetworkStage, number: number): readonly Told[] | undefined {
  if (number < stage.places.length) return stage.places[number]?.ended?.peers;
  return stage.host?.peers.map(({ peer, sentBytes, receivedBytes, broken, why = '' }) => ({
    number: peer,
    sentBytes: BigInt(sentBytes),
    receivedBytes: BigInt(receivedBytes),
    broken: BigInt(broken),
    why,
  }));
}

function hostSum({ host }: NetworkStage, counter: 'bytes' | 'receivedBytes' | 'operations' | 'errors'): number {
  return sum(host?.pools ?? [], ({ counters }) => Number(counters[counter]));
}

function sumOf(values: readonly bigint[]): bigint {
  return values.reduce((total, value) => total + value, 0n);
}
