/** What this package's specs share. */
import { Operation, type PrepareStage } from '@seedstorm/proto';

/** A stage that writes 64 units of 64 KiB to nowhere. */
export function prepareStage(changes: Partial<PrepareStage> = {}): PrepareStage {
  return {
    runId: 'run',
    stage: 0,
    operation: Operation.WRITE,
    content: {
      seed: 2n ** 64n - 1n,
      namespace: 'run',
      unitBytes: 65_536n,
      dedupMilli: 1500n,
      windowBits: 4,
      compressMilli: 2000n,
      codec: 'lz4',
      recordBytes: 4096,
    },
    generation: 0,
    units: 64n,
    unitsPerObject: 16n,
    objectSizes: [],
    blockBytes: 65_536n,
    lanes: 0,
    target: { kind: { $case: 'null', value: {} } },
    share: { index: 0, of: 1 },
    sparedObjects: [],
    leaseMs: 10_000,
    ...changes,
  };
}
