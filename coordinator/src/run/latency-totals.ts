/** Latency of many lanes as one histogram: merged bucket by bucket, so percentiles are right for the whole cluster. */
import { type BucketGains, highestTrackableNs, type Latency, lowestOfBucket } from '@seedstorm/proto';
import { build, type Histogram } from 'hdr-histogram-js';

/** A histogram that grows by gains of other histograms. */
export class LatencyTotals {
  readonly #histogram: Histogram = build({
    bitBucketSize: 64,
    lowestDiscernibleValue: 1,
    highestTrackableValue: highestTrackableNs,
    numberOfSignificantValueDigits: 2,
  });
  #maxNs = 0;

  /** Adds what another histogram gained. */
  add(gains: BucketGains): void {
    for (const [i, bucket] of gains.buckets.entries()) {
      this.#histogram.recordValueWithCount(lowestOfBucket(bucket), gains.counts[i] ?? 0);
    }
    this.#maxNs = Math.max(this.#maxNs, gains.maxNs);
  }

  /** Adds all of another histogram. */
  addAll(other: LatencyTotals): void {
    this.#histogram.add(other.#histogram);
    this.#maxNs = Math.max(this.#maxNs, other.#maxNs);
  }

  /** Empties it. */
  reset(): void {
    this.#histogram.reset();
    this.#maxNs = 0;
  }

  /** Percentiles in ns; the largest value is exact, the others are to 1/128 of their value. */
  summary(): Latency {
    const at = (percentile: number): bigint =>
      BigInt(Math.min(this.#maxNs, this.#histogram.getValueAtPercentile(percentile)));
    return {
      count: BigInt(this.#histogram.totalCount),
      p50Ns: at(50),
      p90Ns: at(90),
      p99Ns: at(99),
      p999Ns: at(99.9),
      maxNs: BigInt(this.#maxNs),
    };
  }
}
