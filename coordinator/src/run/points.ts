/** What came of a sweep: a row for each stage at each point, and the knee of each stage. Pure. */
import type { Latency, StageResult, SweepKnee, SweepRate, SweepResult, SweepRow, SweepValue } from '@seedstorm/proto';
import type { Knee, Rate, ResolvedPlan, SweepValues } from '../plan/index.js';
import { groupsOf, median } from './spread.js';

const percentileOf: Record<Knee['percentile'], keyof Latency> = {
  p50: 'p50Ns',
  p90: 'p90Ns',
  p99: 'p99Ns',
  'p99.9': 'p999Ns',
  max: 'maxNs',
};

/** The table of a sweep; undefined where there was none. */
export function sweepResult(
  { points, knee }: Pick<ResolvedPlan, 'points' | 'knee'>,
  results: readonly StageResult[],
): SweepResult | undefined {
  if (points.length === 0) return undefined;
  const rows = groupsOf(results).flatMap((group) => rowOf(group, knee));
  return {
    points: points.map(({ values }, at) => ({
      point: at + 1,
      values: Object.entries(values).map(([key, value]) => wireValue(key, value)),
    })),
    rows,
    kneePercentile: knee?.percentile ?? '',
    kneeBelowNs: BigInt(knee?.belowNs ?? 0),
    knees: kneesOf(
      rows,
      knee,
      points.every(({ values }) => isOverRates(values)),
    ),
  };
}

function wireValue(key: string, value: number | Rate): SweepValue {
  if (typeof value === 'number') return { key, value: BigInt(value), rateOf: '' };
  return { key, value: BigInt(value.perSecond), rateOf: value.of };
}

/** Whether nothing but rates makes a difference between the points. */
function isOverRates(values: SweepValues): boolean {
  return values.rate !== undefined && Object.keys(values).length === 1;
}

/** Medians over the repetitions. What was not whole is no measurement. */
function rowOf(all: readonly StageResult[], knee: Knee | undefined): SweepRow[] {
  const group = all.filter(({ complete }) => complete);
  const [first] = group;
  if (first === undefined) return [];
  const latency = (of: keyof Latency): number => median(group.map((each) => Number(each.latency?.[of] ?? 0n)));
  const rate = rateOfRow(group);
  const kneeOf = percentileOf[knee?.percentile ?? 'p99'];
  return [
    {
      point: first.point,
      stage: first.stage,
      name: first.name,
      repetitions: group.length,
      bytesPerSecond: median(group.map(({ bytesPerSecond }) => bytesPerSecond)),
      operationsPerSecond: median(group.map(({ operationsPerSecond }) => operationsPerSecond)),
      p50Ns: latency('p50Ns'),
      p99Ns: latency('p99Ns'),
      kneeNs: rate === undefined ? latency(kneeOf) : response(group, kneeOf),
      rate,
    },
  ];
}

/** How the repetitions of a stage kept their rate; undefined without one. */
function rateOfRow(group: readonly StageResult[]): SweepRate | undefined {
  const rates = group.flatMap(({ rate }) => (rate === undefined ? [] : [rate]));
  const [first] = rates;
  if (first === undefined) return undefined;
  return {
    of: first.of,
    wanted: first.wanted,
    reached: median(rates.map(({ reached }) => reached)),
    kept: rates.every(({ kept }) => kept),
    p50Ns: response(group, 'p50Ns'),
    p99Ns: response(group, 'p99Ns'),
  };
}

/** What clients would have waited: the median over the repetitions. */
function response(group: readonly StageResult[], of: keyof Latency): number {
  return median(group.map(({ rate }) => Number(rate?.response?.[of] ?? 0n)));
}

/**
 * The point of the highest throughput whose latency stays below, and whose rate was kept if it has one; of stages that move
 * no bytes, of the most operations. A sweep over nothing but rates says nothing of the stages that keep none of them.
 */
function kneesOf(rows: readonly SweepRow[], knee: Knee | undefined, isOverRates: boolean): SweepKnee[] {
  const stages = new Map<number, SweepRow[]>();
  for (const row of rows.filter(({ rate }) => !isOverRates || rate !== undefined))
    stages.set(row.stage, [...(stages.get(row.stage) ?? []), row]);
  return [...stages].map(([stage, of]) => {
    const below = of.filter(
      ({ kneeNs, rate }) => (knee === undefined || kneeNs < knee.belowNs) && (rate === undefined || rate.kept),
    );
    const best = below.reduce<SweepRow | undefined>(
      (most, row) => (most === undefined || isMore(row, most) ? row : most),
      undefined,
    );
    return { stage, name: of[0]?.name ?? '', point: best?.point ?? 0 };
  });
}

/** Rates that were kept are compared as they were wanted: what was reached is as much, but for chance. */
function isMore(row: SweepRow, other: SweepRow): boolean {
  const wanted = (row.rate?.wanted ?? 0) - (other.rate?.wanted ?? 0);
  return wanted > 0 || (wanted === 0 && throughputOf(row) > throughputOf(other));
}

function throughputOf({ bytesPerSecond, operationsPerSecond }: SweepRow): number {
  return bytesPerSecond > 0 ? bytesPerSecond : operationsPerSecond;
}
