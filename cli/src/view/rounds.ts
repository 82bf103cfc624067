/** What repetitions and a sweep came to, for people. Pure. */
import { formatCount, formatPerSecond, formatRate, formatSize } from '@seedstorm/coordinator/units';
import type { RunResult, Spread, StageSpread, SweepResult, SweepRow, SweepValue } from '@seedstorm/proto';
import Table from 'cli-table3';
import { nanoseconds } from './format.js';

/** Tables of the repetitions and of the sweep; nothing where there were none. */
export function roundLines({ spreads, sweep }: Pick<RunResult, 'spreads' | 'sweep'>): string[] {
  // At each point of a sweep, its table has the medians.
  const ofRun = spreads.filter(({ point }) => point === 0);
  return [
    ...(ofRun.length === 0 ? [] : [spreadTable(ofRun)]),
    ...(sweep === undefined ? [] : [sweepTable(sweep), ...kneeLines(sweep)]),
  ];
}

function spreadTable(spreads: readonly StageSpread[]): string {
  const head = ['stage', 'of', 'median', 'least', 'greatest', 'spread'];
  const rows = tableOf(head, 2);
  for (const { name, repetitions, bytesPerSecond, operationsPerSecond, p99Ns } of spreads) {
    const times = formatCount(repetitions);
    if ((bytesPerSecond?.greatest ?? 0) > 0) rows.push([name, 'GB/s', ...cells(bytesPerSecond, gigabytes)]);
    rows.push(['', 'IOPS', ...cells(operationsPerSecond, count)], [`× ${times}`, 'p99', ...cells(p99Ns, time)]);
  }
  return rows.toString();
}

function cells(spread: Spread | undefined, text: (value: number) => string): string[] {
  if (spread === undefined) return ['', '', '', ''];
  const { median, least, greatest } = spread;
  return [...[median, least, greatest].map(text), `${(spread.spread * 100).toFixed(1)}%`];
}

function sweepTable({ points, rows, knees, kneePercentile }: SweepResult): string {
  const keys = points[0]?.values.map(({ key }) => key) ?? [];
  const extra = kneePercentile !== '' && kneePercentile !== 'p50' && kneePercentile !== 'p99' ? [kneePercentile] : [];
  const paced = rows.some(({ rate }) => rate !== undefined);
  const head = ['point', ...keys, 'stage', 'GB/s', 'IOPS', ...(paced ? ['of rate'] : []), 'p50', 'p99', ...extra, ''];
  const table = tableOf(head, 2 + keys.length);
  for (const row of rows) {
    const values = points[row.point - 1]?.values ?? [];
    const isKnee = knees.some(({ stage, point }) => stage === row.stage && point === row.point);
    // Under a rate it is what clients would have waited.
    const { p50Ns, p99Ns } = row.rate ?? row;
    const latency = [p50Ns, p99Ns, ...(extra.length > 0 ? [row.kneeNs] : [])].map(time);
    table.push([
      String(row.point),
      ...values.map(valueText),
      row.name,
      row.bytesPerSecond > 0 ? gigabytes(row.bytesPerSecond) : '',
      count(row.operationsPerSecond),
      ...(paced ? [keptText(row)] : []),
      ...latency,
      isKnee ? 'knee' : '',
    ]);
  }
  return table.toString();
}

function kneeLines({ points, rows, knees, kneePercentile, kneeBelowNs }: SweepResult): string[] {
  const limit = kneePercentile === '' ? '' : ` with ${kneePercentile} < ${nanoseconds(kneeBelowNs)}`;
  return knees.map(({ stage, name, point }) => {
    const row = rows.find((each) => each.stage === stage && each.point === point);
    if (row === undefined) {
      const paced = rows.some((each) => each.stage === stage && each.rate !== undefined);
      return `${name}: no point${paced ? ' kept its rate' : ''}${limit}: there is no knee`;
    }
    const values = (points[point - 1]?.values ?? []).map((value) => `${value.key} ${valueText(value)}`);
    return `${name}: the most${limit} is ${amount(row)}, at ${values.join(', ')}`;
  });
}

function valueText({ key, value, rateOf }: SweepValue): string {
  if (rateOf !== '') return formatPerSecond({ of: rateOf, perSecond: Number(value) });
  return key === 'block' ? formatSize(value) : formatCount(value);
}

/** How much of its rate a stage reached at a point. */
function keptText({ rate }: SweepRow): string {
  if (rate === undefined) return '';
  const part = `${((rate.reached / rate.wanted) * 100).toFixed(1)}%`;
  return rate.kept ? part : `not kept: ${part}`;
}

function amount({ bytesPerSecond, operationsPerSecond }: SweepRow): string {
  return bytesPerSecond > 0 ? formatRate(bytesPerSecond) : `${count(operationsPerSecond)} operations/s`;
}

function tableOf(head: readonly string[], leftColumns: number): InstanceType<typeof Table> {
  return new Table({
    head: [...head],
    style: { head: [], border: [], compact: true },
    colAligns: head.map((_, i) => (i < leftColumns ? 'left' : 'right')),
  });
}

function gigabytes(bytesPerSecond: number): string {
  return formatRate(bytesPerSecond).replace(' GB/s', '');
}

function count(value: number): string {
  return formatCount(Math.round(value));
}

function time(ns: number): string {
  return nanoseconds(BigInt(Math.round(ns)));
}
