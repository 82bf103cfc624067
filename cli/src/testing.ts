/** What this package's specs share. */
import { StageResult } from '@seedstorm/proto';

/** A stage in which nothing happened, but for what is given. */
export function stageResult(changes: Partial<StageResult> = {}): StageResult {
  return {
    ...StageResult.fromPartial({}),
    name: 'write',
    complete: true,
    durationNs: 2_000_000_000n,
    latency: { count: 10n, p50Ns: 1000n, p90Ns: 2000n, p99Ns: 3000n, p999Ns: 4000n, maxNs: 5000n },
    startSkewNs: 1000n,
    clockErrorNs: 1000n,
    ...changes,
  };
}
