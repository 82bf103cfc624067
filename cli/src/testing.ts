/** What this package's specs share. */
import type { StageResult } from '@seedstorm/proto';

/** A stage in which nothing happened, but for what is given. */
export function stageResult(changes: Partial<StageResult> = {}): StageResult {
  return {
    stage: 0,
    name: 'write',
    complete: true,
    units: 0n,
    unitsDone: 0n,
    bytes: 0n,
    durationNs: 2_000_000_000n,
    bytesPerSecond: 0,
    operationsPerSecond: 0,
    latency: { count: 10n, p50Ns: 1000n, p90Ns: 2000n, p99Ns: 3000n, p999Ns: 4000n, maxNs: 5000n },
    corruptBlocks: 0n,
    findingCounts: [],
    errors: 0n,
    unitsReworked: 0n,
    unitsIndeterminate: 0n,
    unitsLost: 0n,
    unitsByTheirWriter: 0n,
    unitsFailed: 0n,
    unitsNotWritten: 0n,
    ioErrors: [],
    startSkewNs: 1000n,
    clockErrorNs: 1000n,
    agents: [],
    closeNs: 0n,
    queues: undefined,
    cache: undefined,
    preallocated: 0n,
    preallocateNs: 0n,
    network: undefined,
    classes: [],
    rate: undefined,
    seconds: undefined,
    cpuSecondsPerGb: 0,
    memory: undefined,
    headroom: undefined,
    ...changes,
  };
}
