/**
 * The one bucket layout of latency histograms, shared by the lanes (Rust), the wire and TypeScript: HDR buckets in
 * nanoseconds, lowest value 1, highest 2^42 - 1 (73 minutes), two significant digits. A bucket spans at most 1/128 of
 * its value. Must know nothing of who measured what.
 */
import { SeedstormError } from '@seedstorm/errors';
import type { SparseHistogram } from './generated/seedstorm/v1/common.js';

/** Sub-buckets in the first bucket; the power of two above 2 × 10². */
const subBuckets = 256;
const halfSubBuckets = subBuckets / 2;
const highestBits = 42;

/** The greatest latency that has a bucket of its own, in ns; longer ones count in the last bucket. */
export const highestTrackableNs = 2 ** highestBits - 1;

/** How many buckets there are. */
export const bucketCount = (highestBits - Math.log2(subBuckets) + 2) * halfSubBuckets;

/** The smallest value in ns that falls into a bucket. */
export function lowestOfBucket(bucket: number): number {
  if (bucket < subBuckets) return bucket;
  const shift = Math.floor(bucket / halfSubBuckets) - 1;
  return ((bucket % halfSubBuckets) + halfSubBuckets) * 2 ** shift;
}

/** The bucket of a value in ns. */
export function bucketOf(ns: number): number {
  const value = Math.min(ns, highestTrackableNs);
  if (value < subBuckets) return Math.floor(value);
  const shift = Math.floor(Math.log2(value)) - Math.log2(halfSubBuckets);
  return (shift + 1) * halfSubBuckets + (Math.floor(value / 2 ** shift) - halfSubBuckets);
}

/** Buckets that gained values, ascending, with how many; and the largest value so far in ns. */
export interface BucketGains {
  readonly buckets: readonly number[];
  readonly counts: readonly number[];
  readonly maxNs: number;
}

/** The same from the lanes, which give typed arrays. */
export interface GivenGains {
  readonly buckets: ArrayLike<number>;
  readonly counts: ArrayLike<number>;
  readonly maxNs: number;
}

/** Packs gains for the wire. */
export function encodeHistogram({ buckets, counts, maxNs }: GivenGains): SparseHistogram {
  const packed: SparseHistogram = { bucketGaps: [], counts: [], maxNs: BigInt(maxNs) };
  let before = 0;
  // A plain loop: this is on the event loop, with thousands of buckets when latencies are spread.
  for (let i = 0; i < buckets.length; i++) {
    const bucket = buckets[i] ?? 0;
    packed.bucketGaps.push(bucket - before);
    packed.counts.push(BigInt(counts[i] ?? 0));
    before = bucket;
  }
  return packed;
}

/**
 * Unpacks gains from the wire.
 * @throws SeedstormError SEEDSTORM_E_MESSAGE_INVALID when buckets do not ascend, are out of range, or lack counts.
 */
export function decodeHistogram(sparse: SparseHistogram): BucketGains {
  const buckets: number[] = [];
  let bucket = 0;
  for (const [i, gap] of sparse.bucketGaps.entries()) {
    if (i > 0 && gap === 0) throw malformed(`bucket ${bucket} comes twice`);
    bucket += gap;
    if (bucket >= bucketCount) throw malformed(`bucket ${bucket} is past the last one, ${bucketCount - 1}`);
    buckets.push(bucket);
  }
  if (sparse.counts.length !== buckets.length) {
    throw malformed(`${buckets.length} buckets come with ${sparse.counts.length} counts`);
  }
  const counts = sparse.counts.map((count) => {
    if (count > BigInt(Number.MAX_SAFE_INTEGER)) throw malformed(`a count of ${count} is beyond 2^53`);
    return Number(count);
  });
  if (sparse.maxNs > BigInt(Number.MAX_SAFE_INTEGER)) throw malformed(`a latency of ${sparse.maxNs} ns is no latency`);
  return { buckets, counts, maxNs: Number(sparse.maxNs) };
}

function malformed(what: string): SeedstormError {
  return new SeedstormError({
    code: 'SEEDSTORM_E_MESSAGE_INVALID',
    what: `a latency histogram does not decode: ${what}`,
  });
}
