/** What came of a sweep: a row for each stage at each point, and the knee of each stage. Pure. */
import type { Latency, StageResult, SweepKnee, SweepResult, SweepRow } from '@seedstorm/proto';
import type { Knee, ResolvedPlan } from '../plan/index.js';
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
      values: Object.entries(values).map(([key, value]) => ({ key, value: BigInt(value) })),
    })),
    rows,
    kneePercentile: knee?.percentile ?? '',
    kneeBelowNs: BigInt(knee?.belowNs ?? 0),
    knees: kneesOf(rows, knee),
  };
}

/** Medians over the repetitions. What was not whole is no measurement. */
function rowOf(all: readonly StageResult[], knee: Knee | undefined): SweepRow[] {
  const group = all.filter(({ complete }) => complete);
  const [first] = group;
  if (first === undefined) return [];
  const latency = (of: keyof Latency): number => median(group.map((each) => Number(each.latency?.[of] ?? 0n)));
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
      kneeNs: latency(percentileOf[knee?.percentile ?? 'p99']),
    },
  ];
}

/** The point of the highest throughput whose latency stays below; of stages that move no bytes, of the most operations. */
function kneesOf(rows: readonly SweepRow[], knee: Knee | undefined): SweepKnee[] {
  const stages = new Map<number, SweepRow[]>();
  for (const row of rows) stages.set(row.stage, [...(stages.get(row.stage) ?? []), row]);
  return [...stages].map(([stage, of]) => {
    const below = of.filter(({ kneeNs }) => knee === undefined || kneeNs < knee.belowNs);
    const best = below.reduce<SweepRow | undefined>(
      (most, row) => (most === undefined || rateOf(row) > rateOf(most) ? row : most),
      undefined,
    );
    return { stage, name: of[0]?.name ?? '', point: best?.point ?? 0 };
  });
}

function rateOf({ bytesPerSecond, operationsPerSecond }: SweepRow): number {
  return bytesPerSecond > 0 ? bytesPerSecond : operationsPerSecond;
}
