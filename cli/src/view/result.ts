/** The result of a run, for people, on stdout. */
import { formatBytes, formatCount, formatRate } from '@seedstorm/coordinator/units';
import { printable } from '@seedstorm/errors';
import type { AgentStageResult, CacheResult, MixedResult, Residency, RunResult, StageResult } from '@seedstorm/proto';
import Table from 'cli-table3';
import { classLines } from './classes.js';
import { faultLines } from './faults.js';
import { nanoseconds } from './format.js';
import { measuredLines } from './measured.js';
import { networkLines, portLines } from './network.js';
import { rateLines } from './rates.js';
import { roundLines } from './rounds.js';
import { storeLines } from './store.js';

/** A mean depth below this part of the plan's is said to be short of it. */
const shortOfDepth = 0.8;

/** Lines of I/O errors of each stage; the others are in the JSON. */
const maxErrorLines = 10;

const head = ['stage', 'agent', 'NUMA node', 'GB/s', 'IOPS', 'p50', 'p99', 'max', 'units done', 'corrupt'];

/** Writes the result. */
export function showResult(result: RunResult): void {
  const seconds = Number(result.endedUnixMs - result.startedUnixMs) / 1000;
  const lines = [
    '',
    `run ${result.runId}${result.name === '' ? '' : ` (${result.name})`}: ${result.outcome} in ${seconds.toFixed(1)} s · seed ${result.seed} · namespace ${result.namespace}`,
  ];
  if (result.dataRunId !== '') {
    const written = new Date(Number(result.dataStartedUnixMs)).toISOString();
    lines.push(`data of run ${result.dataRunId} of ${written}`);
  }
  const overData = result.stages.filter(({ network }) => network === undefined);
  // A sweep has so many stages that its own table says more.
  const whole = result.sweep === undefined ? overData : [];
  if (whole.length > 0) lines.push(table(whole), ...whole.flatMap(remarks));
  lines.push(...roundLines(result));
  for (const stage of result.stages) if (stage.network !== undefined) lines.push(...networkLines(stage, stage.network));
  lines.push(...result.stages.flatMap(portLines));
  for (const note of result.notes) lines.push(`note: ${printable(note)}`);
  lines.push(...faultLines(result));
  for (const path of result.leftBehind) lines.push(`left on the target: ${printable(path)}`);
  const unnamed = Number(result.sparedObjects) - result.leftBehind.length;
  if (result.leftBehind.length > 0 && unnamed > 0) {
    lines.push(`… and ${formatCount(unnamed)} more objects with faults, not named or not there`);
  }
  if (result.evidenceSkipped > 0n) {
    lines.push(
      `evidence: the bytes of ${formatCount(result.evidenceSkipped)} faults were not kept: they were too many`,
    );
  }
  if (result.agentsLost > 0) lines.push(`agents: ${result.agentsSeen} seen, ${result.agentsLost} lost`);
  process.stdout.write(`${lines.join('\n')}\n`);
}

function table(stages: readonly StageResult[]): string {
  const rows = new Table({
    head,
    style: { head: [], border: [], compact: true },
    colAligns: head.map((_, i) => (i < 3 ? 'left' : 'right')),
  });
  for (const stage of stages) {
    const { latency, label: name } = stage;
    rows.push([
      // What the page cache answered is not what the storage does.
      stage.cache?.reads === 'cached' ? `${name} (cached)` : name,
      'all',
      '',
      rate(stage.bytesPerSecond),
      formatCount(Math.round(stage.operationsPerSecond)),
      ...(latency === undefined ? ['', '', ''] : [latency.p50Ns, latency.p99Ns, latency.maxNs].map(nanoseconds)),
      stage.unitsDone > stage.units
        ? formatCount(stage.unitsDone)
        : `${formatCount(stage.unitsDone)} of ${formatCount(stage.units)}`,
      formatCount(stage.corruptBlocks),
    ]);
    const counted = Number(stage.timed?.countedNs ?? stage.durationNs) / 1e9;
    for (const agent of stage.agents) rows.push(...agentRows(agent, counted));
  }
  return rows.toString();
}

/** A row a pool; an agent that was lost before it reported has one too. */
function agentRows(agent: AgentStageResult, seconds: number): string[][] {
  const name = printable(agent.name);
  const units = formatCount(agent.unitsDone);
  if (agent.pools.length === 0) return [['', name, '', '', '', '', '', '', units, '']];
  // Counters include what was done twice or for nothing; by this part of them the rows add up to the stage.
  const moved = agent.pools.reduce((sum, { counters }) => sum + Number(counters?.bytes ?? 0n), 0);
  const part = moved > 0 ? (agent.bytesPerSecond * seconds) / moved : 1;
  const perSecond = (counter: bigint | undefined): number =>
    seconds > 0 ? (Number(counter ?? 0n) * Math.min(1, part)) / seconds : 0;
  return agent.pools.map(({ counters, latency: of }, i) => [
    '',
    i === 0 ? name : '',
    String(counters?.numaNode ?? ''),
    rate(perSecond(counters?.bytes)),
    formatCount(Math.round(perSecond(counters?.operations))),
    ...(of === undefined ? ['', '', ''] : [of.p50Ns, of.p99Ns, of.maxNs].map(nanoseconds)),
    i === 0 ? units : '',
    formatCount(counters?.corruptBlocks ?? 0n),
  ]);
}

/** What a row cannot say. */
function remarks(stage: StageResult): string[] {
  const { label: name } = stage;
  const parts = [
    ...namesRemark(stage),
    ...timedRemarks(stage),
    stage.complete || stage.unitsDone >= stage.units
      ? ''
      : `${formatCount(stage.units - stage.unitsDone)} units were not done`,
    stage.unitsReworked > 0n ? `${formatCount(stage.unitsReworked)} units were done more than once` : '',
    stage.unitsIndeterminate > 0n ? `${formatCount(stage.unitsIndeterminate)} units are indeterminate` : '',
    stage.unitsLost > 0n ? `${formatCount(stage.unitsLost)} units were lost with their agents` : '',
    stage.unitsByTheirWriter > 0n
      ? `${formatCount(stage.unitsByTheirWriter)} units were read by the agent that wrote them`
      : '',
    cacheRemark(stage.cache),
    stage.preallocated > 0n
      ? `${formatCount(stage.preallocated)} files were preallocated, in ${nanoseconds(stage.preallocateNs)} of lane time`
      : '',
    stage.errors > 0n ? `${formatCount(stage.errors)} operations failed` : '',
    stage.unitsFailed > 0n ? `${formatCount(stage.unitsFailed)} units failed with them` : '',
    stage.unitsNotWritten > 0n ? `${formatCount(stage.unitsNotWritten)} units left out: they were not written` : '',
    stage.cellsInDoubt > 0n
      ? `${formatCount(stage.cellsInDoubt)} blocks are indeterminate: overwritten, perhaps, by agents that were lost`
      : '',
    mixedRemark(stage.mixed),
    queues(stage),
  ].filter((part) => part !== '');
  const bytes = stage.bytes > 0n ? `${formatBytes(stage.bytes)} in ` : operationsIn(stage);
  const took = `${bytes}${seconds(stage.timed?.countedNs ?? stage.durationNs)} s, started within ${nanoseconds(stage.startSkewNs)} (clocks known to ${nanoseconds(stage.clockErrorNs)})`;
  return [
    `${name}: ${[took, ...parts].join('; ')}`,
    ...rateLines(stage),
    ...measuredLines(stage),
    ...classLines(stage),
    ...storeLines(stage),
    ...errorLines(stage),
  ];
}

/** Where no bytes move, the rate of operations is what the stage is about. */
function operationsIn({ name, operationsPerSecond, durationNs, timed }: StageResult): string {
  const what = operationNames[name];
  if (what === undefined) return '';
  const operations = (operationsPerSecond * Number(timed?.countedNs ?? durationNs)) / 1e9;
  return `${formatCount(Math.round(operationsPerSecond))} ${what} a second, ${formatCount(Math.round(operations))} in `;
}

const operationNames: Readonly<Record<string, string>> = {
  stat: 'files looked at',
  list: 'names listed',
  mkdir: 'directories made',
  create: 'files created',
  rename: 'files renamed',
  delete: 'files deleted',
};

/** What a stage that works on names came across. */
function namesRemark({ name, existed, foreign, folders }: StageResult): string[] {
  return [
    name === 'list' ? `${formatCount(folders)} folders` : '',
    existed > 0n ? `${formatCount(existed)} were there from an earlier attempt` : '',
    foreign > 0n ? `${formatCount(foreign)} names are foreign: not of this run, and left alone` : '',
  ];
}

/** What is to be known of a stage that goes by time. */
function timedRemarks({ timed, durationNs, mixed }: StageResult): string[] {
  if (timed === undefined) return [];
  const { rampNs, passes, wholePasses, plannedMs, stability } = timed;
  const ramp = rampNs > 0n ? [`of ${seconds(durationNs)} s in all, the first ${seconds(rampNs)} s not counted`] : [];
  const times = plannedMs > 0n ? [timesThrough(passes, wholePasses, mixed !== undefined)] : [];
  if (stability === undefined) return [...ramp, ...times];
  const { reached, afterNs, variation, wanted, windowMs } = stability;
  const varied = variation > 0 || reached ? ` (${percentOf(variation)} over ${Number(windowMs) / 1000} s)` : '';
  const stable = reached
    ? `stable after ${seconds(afterNs)} s${varied}`
    : `NOT stable after ${seconds(afterNs)} s${varied}, and ${percentOf(wanted)} was wanted`;
  return [...ramp, stable, ...times];
}

/** Operations of a mixed stage meet some blocks often and others never, so that it never is through. */
function timesThrough(passes: number, whole: bigint, isMixed: boolean): string {
  const times = passes.toFixed(2);
  return isMixed
    ? `operations of ${times} times the size of the data (${formatCount(whole)} whole rounds)`
    : `${times} times through the data (${formatCount(whole)} whole)`;
}

function seconds(ns: bigint): string {
  return (Number(ns) / 1e9).toFixed(2);
}

function percentOf(part: number): string {
  return `${(part * 100).toFixed(2)}%`;
}

/** What a mixed stage did, beside the classes of its operations. */
function mixedRemark(mixed: MixedResult | undefined): string {
  if (mixed === undefined) return '';
  const { operations, operationsInDoubt, verifiedBytes, writtenBytes } = mixed;
  const doubt = operationsInDoubt > 0n ? `, ${formatCount(operationsInDoubt)} more may have been` : '';
  const bytes = `${formatBytes(verifiedBytes)} read and verified, ${formatBytes(writtenBytes)} written`;
  return `${formatCount(operations)} operations are done${doubt}; ${bytes}`;
}

/** What failed where, and in whose hands. */
function errorLines({ ioErrors }: StageResult): string[] {
  const lines = ioErrors.slice(0, maxErrorLines).map(({ count, kind, path, agent, lane, first }) => {
    const where = path === '' ? '' : ` at ${path}`;
    const by = lane === undefined ? agent : `${agent}, lane ${lane}`;
    const why = first === undefined ? '' : `: ${first.what}`;
    return printable(`  ${formatCount(count)} × ${kind}${where} (${by})${why}`);
  });
  const others = ioErrors.length - lines.length;
  return others > 0 ? [...lines, `  … and ${formatCount(others)} more, in the JSON result`] : lines;
}

/** How deep the queues really were; said loudly where the plan asked for much more. */
function queues({ queues: of, rate }: StageResult): string {
  if (of === undefined) return '';
  // Under a rate lanes wait for their instants, and not for the storage.
  const isShort = rate === undefined && of.depth > 1 && of.meanPerLane < of.depth * shortOfDepth;
  const mean = of.meanPerLane.toFixed(of.meanPerLane < 10 ? 2 : 1);
  return `${mean} of ${of.depth} blocks in flight of each of ${formatCount(of.lanes)} lanes (at most ${of.greatestPerLane}) by ${of.engines.join(', ')}${isShort ? ' — short of the plan' : ''}`;
}

/** What the page caches had to do with a stage. */
function cacheRemark(cache: CacheResult | undefined): string {
  const percent = ({ pages, resident }: Residency): string =>
    `${((Number(resident) / Number(pages)) * 100).toFixed(1)}%`;
  if (cache?.before === undefined) return '';
  if (cache.reads === 'cached') {
    return `reads were cached: ${percent(cache.before)} of a sample was in the agents' page caches before it was read`;
  }
  if (cache.reads === 'uncached') {
    return `${percent(cache.before)} of a sample was in the agents' page caches before it was read`;
  }
  return cache.reads === 'unknown' ? 'nobody could tell whether reads were cached' : '';
}

function rate(bytesPerSecond: number): string {
  return bytesPerSecond === 0 ? '' : formatRate(bytesPerSecond).replace(' GB/s', '');
}
