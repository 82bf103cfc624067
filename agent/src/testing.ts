/** What this package's specs share. */
import {
  type CheckTarget,
  type FileTarget,
  Operation,
  type PrepareStage,
  type StartStage,
  type Target,
} from '@seedstorm/proto';

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
    overwrites: undefined,
    tree: undefined,
    blockBytes: 65_536n,
    lanes: 0,
    target: { kind: { $case: 'null', value: {} } },
    share: { index: 0, of: 1 },
    sparedObjects: [],
    leaseMs: 10_000,
    errors: undefined,
    rate: undefined,
    measureGenerator: false,
    queueDepth: 4,
    ioEngine: 'auto',
    modestLanes: 0,
    dropCaches: '',
    ...changes,
  };
}

/** A start at once, of a stage that does not go by time. */
export function startStage(changes: Partial<StartStage> = {}): StartStage {
  const none = { overAtAgentNs: 0n, countFromAgentNs: 0n, share: undefined };
  return { stage: 0, atAgentNs: 0n, commonStartAgentNs: process.hrtime.bigint(), ...none, ...changes };
}

/** A look at nowhere, for 64 units of 1 MiB in 16 objects that nobody writes. */
export function checkQuestion(changes: Partial<CheckTarget> = {}): CheckTarget {
  return {
    id: 1n,
    target: { kind: { $case: 'null', value: {} } },
    blockBytes: 1_048_576n,
    bytes: 0n,
    content: undefined,
    generation: 0,
    dataBytes: 64n * 1_048_576n,
    objects: 16n,
    leaseObjects: 1n,
    lanes: 0,
    queueDepth: 1,
    share: undefined,
    unitBytes: 1_048_576n,
    objectBytes: 4n * 1_048_576n,
    makesObjects: (changes.bytes ?? 0n) > 0n,
    ...changes,
  };
}

/** Files in a folder, as a target. */
export function filesIn(path: string, changes: Partial<FileTarget> = {}): Target {
  return { kind: { $case: 'file', value: fileTarget(path, changes) } };
}

/** Files in a folder. */
export function fileTarget(path: string, changes: Partial<FileTarget> = {}): FileTarget {
  return {
    paths: [path],
    runFolder: 'run',
    direct: 'auto',
    sync: 'range',
    scope: 'shared',
    preallocate: 'false',
    shareTarget: false,
    ...changes,
  };
}
