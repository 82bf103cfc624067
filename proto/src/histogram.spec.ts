import fc from 'fast-check';
import { build } from 'hdr-histogram-js';
import { describe, expect, test } from 'vitest';
import { SparseHistogram } from './generated/seedstorm/v1/common.js';
import {
  bucketCount,
  bucketOf,
  decodeHistogram,
  encodeHistogram,
  highestTrackableNs,
  lowestOfBucket,
} from './histogram.js';

const latencyNs = fc.oneof(fc.nat(2_000_000), fc.integer({ min: 0, max: highestTrackableNs }));

describe('the bucket layout of latency', () => {
  test('a latency never moves to another bucket on its way', () => {
    fc.assert(
      fc.property(latencyNs, (ns) => {
        const bucket = bucketOf(ns);
        expect(bucket).toBeLessThan(bucketCount);
        expect(lowestOfBucket(bucket)).toBeLessThanOrEqual(ns);
        if (bucket + 1 < bucketCount) expect(lowestOfBucket(bucket + 1)).toBeGreaterThan(ns);
      }),
    );
  });

  test('it is the layout of HDR histograms, so that other tools read our percentiles', () => {
    fc.assert(
      fc.property(fc.array(latencyNs, { minLength: 1 }), (values) => {
        const options = {
          lowestDiscernibleValue: 1,
          highestTrackableValue: highestTrackableNs,
          numberOfSignificantValueDigits: 2,
        } as const;
        const direct = build({ bitBucketSize: 64, ...options });
        const viaBuckets = build({ bitBucketSize: 64, ...options });
        for (const value of values) {
          direct.recordValue(value);
          viaBuckets.recordValue(lowestOfBucket(bucketOf(value)));
        }
        for (const percentile of [50, 90, 99, 99.9, 100]) {
          expect(viaBuckets.getValueAtPercentile(percentile)).toBe(direct.getValueAtPercentile(percentile));
        }
      }),
    );
  });

  test('what an agent measured is what the coordinator reads', () => {
    fc.assert(
      fc.property(fc.array(latencyNs), fc.nat(1_000_000), (values, count) => {
        const buckets = [...new Set(values.map(bucketOf))].sort((a, b) => a - b);
        const gains = { buckets, counts: buckets.map((_, i) => count + i), maxNs: Math.max(0, ...values) };
        const wire = SparseHistogram.encode(encodeHistogram(gains)).finish();
        expect(decodeHistogram(SparseHistogram.decode(wire))).toEqual(gains);
      }),
    );
  });

  test('a histogram that lies is refused, not added up', () => {
    const maxNs = 0n;
    expect(() => decodeHistogram({ bucketGaps: [bucketCount], counts: [1n], maxNs })).toThrow(/past the last/u);
    expect(() => decodeHistogram({ bucketGaps: [5, 0], counts: [1n, 1n], maxNs })).toThrow(/twice/u);
    expect(() => decodeHistogram({ bucketGaps: [5], counts: [], maxNs })).toThrow(/1 buckets come with 0 counts/u);
    expect(() => decodeHistogram({ bucketGaps: [5], counts: [2n ** 60n], maxNs })).toThrow(/beyond/u);
  });
});
