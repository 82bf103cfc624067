/** What a stage's row cannot say of its measurement: its seconds, its CPU time, and whether it was the clients that were measured. */
import { formatBytes, formatCount, formatRate } from '@seedstorm/coordinator/units';
import type { CpuResult, SecondResult, StageResult } from '@seedstorm/proto';
import { nanoseconds } from './format.js';

/** Below this headroom the clients may be the limit. */
const safeHeadroom = 2;

/** The lines of a stage. */
export function measuredLines(stage: StageResult): string[] {
  return [secondsLine(stage), cpuLine(stage), headroomLine(stage), memoryLine(stage)].filter((line) => line !== '');
}

function secondsLine({ seconds }: StageResult): string {
  if (seconds === undefined) return '';
  const { fastest, median, slowest, whole, width } = seconds;
  const done = `first lane done after ${nanoseconds(seconds.firstDoneNs)}, last after ${nanoseconds(seconds.lastDoneNs)}`;
  if (fastest === undefined || median === undefined || slowest === undefined) return `  ${done}`;
  const isData = fastest.bytesPerSecond > 0;
  const rate = ({ bytesPerSecond, operationsPerSecond }: SecondResult): string =>
    isData ? formatRate(bytesPerSecond) : `${formatCount(Math.round(operationsPerSecond))} operations/s`;
  const of = width === 1 ? `${formatCount(whole)} whole seconds` : `${formatCount(whole)} spans of ${width} s`;
  return `  of ${of}: fastest ${rate(fastest)}, median ${rate(median)}, slowest ${rate(slowest)} (at ${formatCount(slowest.at)} s); ${done}`;
}

function cpuLine({ agents, cpuSecondsPerGb }: StageResult): string {
  const sum = (of: (cpu: CpuResult) => bigint): bigint =>
    agents.reduce((total, { cpu }) => total + (cpu === undefined ? 0n : of(cpu)), 0n);
  const all = sum(({ processUserNs, processSystemNs }) => processUserNs + processSystemNs);
  if (all === 0n) return '';
  const lanes = `lanes ${nanoseconds(sum(({ lanesUserNs }) => lanesUserNs))} user, ${nanoseconds(sum(({ lanesSystemNs }) => lanesSystemNs))} system`;
  const per = cpuSecondsPerGb > 0 ? `, ${cpuSecondsPerGb.toPrecision(3)} s for each GB` : '';
  return `  CPU time ${nanoseconds(all)} (${lanes})${per}`;
}

function headroomLine({ headroom }: StageResult): string {
  if (headroom === undefined || headroom.times === 0) return '';
  const said = `  headroom: ${headroom.times.toFixed(headroom.times < 10 ? 2 : 1)}× (null ${formatRate(headroom.nullBytesPerSecond)})`;
  return headroom.times < safeHeadroom
    ? `${said}: the clients may be the limit; use more agents or lanes to see what the storage does`
    : said;
}

function memoryLine({ memory }: StageResult): string {
  if (memory?.cacheable !== true) return '';
  const hosts = memory.hosts === 1 ? 'the agents’ host' : `the agents’ ${formatCount(memory.hosts)} hosts`;
  return `  caches may have answered reads: the data, ${formatBytes(memory.dataBytes, 'binary')}, are less than twice the memory of ${hosts}, ${formatBytes(memory.memoryBytes, 'binary')}`;
}
