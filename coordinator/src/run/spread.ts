/** How stages that were repeated spread: median, least, greatest. Pure. */
import type { Spread, StageResult, StageSpread } from '@seedstorm/proto';

/** The middle of some numbers; of an even number of them the mean of the two in the middle. 0 of none. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}

/** The median, the least and the greatest of some numbers, and how far these are apart as a part of the median. */
export function spreadOf(numbers: readonly number[]): Spread {
  if (numbers.length === 0) return { median: 0, least: 0, greatest: 0, spread: 0 };
  const middle = median(numbers);
  const [least, greatest] = [Math.min(...numbers), Math.max(...numbers)];
  return { median: middle, least, greatest, spread: middle === 0 ? 0 : (greatest - least) / middle };
}

/** The results of each stage at each point, in the order in which they came. */
export function groupsOf(results: readonly StageResult[]): StageResult[][] {
  const groups = new Map<string, StageResult[]>();
  for (const result of results) {
    const key = `${result.point} ${result.stage}`;
    groups.set(key, [...(groups.get(key) ?? []), result]);
  }
  return [...groups.values()];
}

/** How the repetitions of each stage spread; nothing where the stages were done once. */
export function spreadsOf(results: readonly StageResult[]): StageSpread[] {
  return groupsOf(results.filter(({ repetition }) => repetition > 0)).flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    return [
      {
        stage: first.stage,
        name: first.name,
        point: first.point,
        repetitions: group.length,
        bytesPerSecond: spreadOf(group.map(({ bytesPerSecond }) => bytesPerSecond)),
        operationsPerSecond: spreadOf(group.map(({ operationsPerSecond }) => operationsPerSecond)),
        p99Ns: spreadOf(group.map(({ latency }) => Number(latency?.p99Ns ?? 0n))),
      },
    ];
  });
}
