import { type BucketGains, bucketCount, bucketOf, highestTrackableNs, lowestOfBucket } from '@seedstorm/proto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LatencyTotals } from './latency-totals.js';

/** What a histogram of these values gains. */
function gainsOf(values: readonly number[]): BucketGains {
  const counts = new Map<number, number>();
  for (const ns of values) counts.set(bucketOf(ns), (counts.get(bucketOf(ns)) ?? 0) + 1);
  const buckets = [...counts.keys()].sort((a, b) => a - b);
  return { buckets, counts: buckets.map((bucket) => counts.get(bucket) ?? 0), maxNs: Math.max(0, ...values) };
}

/** The highest value of the bucket that holds the value of this rank, by counting, and never above the largest. */
function percentileByHand(values: readonly number[], percentile: number): bigint {
  const sorted = [...values].sort((a, b) => a - b);
  const rank = Math.max(1, Math.ceil((percentile / 100) * sorted.length));
  const bucket = bucketOf(sorted[rank - 1] ?? 0);
  const highest = bucket + 1 < bucketCount ? lowestOfBucket(bucket + 1) - 1 : highestTrackableNs;
  return BigInt(Math.min(highest, sorted.at(-1) ?? 0));
}

const latencies = fc.array(fc.oneof(fc.integer({ min: 1, max: 2_000_000 }), fc.integer({ min: 1, max: 2 ** 41 })), {
  minLength: 1,
  maxLength: 300,
});

describe('latency of the whole cluster', () => {
  test('percentiles over many agents are those of all values together, never an average of percentiles', () => {
    fc.assert(
      fc.property(fc.array(latencies, { minLength: 1, maxLength: 5 }), (agents) => {
        const all = agents.flat();
        const cluster = new LatencyTotals();
        for (const values of agents) {
          // Each agent reports in two parts.
          const one = new LatencyTotals();
          one.add(gainsOf(values.slice(0, 7)));
          one.add(gainsOf(values.slice(7)));
          cluster.addAll(one);
        }
        expect(cluster.summary()).toEqual({
          count: BigInt(all.length),
          p50Ns: percentileByHand(all, 50),
          p90Ns: percentileByHand(all, 90),
          p99Ns: percentileByHand(all, 99),
          p999Ns: percentileByHand(all, 99.9),
          maxNs: BigInt(Math.max(...all)),
        });
      }),
    );
  });

  test('an average would hide the slow agent: one in ten that takes 1 s is the p99 of all', () => {
    const cluster = new LatencyTotals();
    for (let agent = 0; agent < 10; agent++) cluster.add(gainsOf(Array(100).fill(agent === 0 ? 1e9 : 1e6)));
    expect(Number(cluster.summary().p99Ns)).toBe(1e9);
    expect(Number(cluster.summary().p50Ns)).toBeCloseTo(1e6, -5);
  });

  test('an I/O that hung for hours shows its true length', () => {
    const totals = new LatencyTotals();
    totals.add({ buckets: [bucketCount - 1], counts: [1], maxNs: 9e12 });
    expect(totals.summary()).toMatchObject({ count: 1n, maxNs: 9_000_000_000_000n });
  });

  test('nothing measured is nothing, and so is what was reset', () => {
    const totals = new LatencyTotals();
    const nothing = { count: 0n, p50Ns: 0n, p90Ns: 0n, p99Ns: 0n, p999Ns: 0n, maxNs: 0n };
    expect(totals.summary()).toEqual(nothing);
    totals.add(gainsOf([1, 2, 3]));
    totals.reset();
    expect(totals.summary()).toEqual(nothing);
  });
});
