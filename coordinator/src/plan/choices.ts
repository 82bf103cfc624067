/** What a plan can choose from, its limits, and what holds where it says nothing. The keys themselves are in schema.ts. */

const KiB = 1024;
const MiB = 1024 ** 2;

/** The most stages that a plan may have. */
export const maxStages = 100;
/** The most rounds through the stages: the points of a sweep, times their repetitions. */
export const maxRounds = 256;
/** What a sweep can go over, in the order of its points: the last varies fastest. */
export const sweepKeys = ['agents', 'lanesPerAgent', 'block', 'queueDepth', 'rate'] as const;
/** The most objects (files) that a layout may have. */
export const maxObjects = 1_000_000_000;

/** Codecs that a compression ratio can be aimed at. */
export const codecs = ['any', 'lz4', 'zstd', 'deflate', 'at-least'] as const;
/** Bytes that a codec may be taken to compress at a time. */
export const recordSizes = [4 * KiB, 16 * KiB, 128 * KiB] as const;
/** When written data is made durable. */
export const syncModes = ['block', 'range', 'file', 'end', 'never'] as const;
/** Which way the I/O of files goes. */
export const ioEngines = ['auto', 'io_uring', 'aio', 'threads'] as const;
/** Whether every agent sees the same files, or each host its own. */
export const scopes = ['shared', 'local'] as const;
/** The most paths that a file target may have. */
export const maxPaths = 256;
/** The stages, in the order of the reference page. */
export const stageKinds = [
  'write',
  'read',
  'verify',
  'mixed',
  'generate',
  'network',
  'stat',
  'list',
  'mkdir',
  'create',
  'rename',
  'delete',
] as const;
/** The stages that only a tree of files has. */
export const treeStages = ['mkdir', 'create', 'rename'] as const;
/** Where a rename leaves a file: in its directory, or in the next one. */
export const renameTargets = ['same', 'next'] as const;
/** How the instants of a rate's operations lie. */
export const arrivals = ['constant', 'poisson'] as const;
/** Which blocks the operations of a mixed stage go to. */
export const mixedOrders = ['sequential', 'random', 'strided', 'zipfian'] as const;
/** Who sends to whom in a network stage. */
export const networkPatterns = ['all-to-all', 'pairs', 'coordinator'] as const;
/** Which way the bytes of a network stage go. */
export const networkDirections = ['both', 'one-way'] as const;

/** The kinds of I/O errors that a plan tells apart. */
export const errorKinds = [
  'open',
  'read',
  'write',
  'sync',
  'delete',
  'full',
  'missing',
  'mkdir',
  'stat',
  'list',
  'rename',
] as const;
/** The most I/O errors that a plan may let pass. */
export const maxErrors = 1_000_000_000;

/** The values of keys that a plan leaves out, where they do not depend on other keys. */
export const defaults = {
  unitBytes: MiB,
  ratioMilli: 1000,
  codec: 'any',
  recordBytes: 128 * KiB,
  direct: 'auto',
  offsetBytes: 0,
  scope: 'shared',
  preallocate: false,
  dropCaches: false,
  sync: 'range',
  ioEngine: 'auto',
  queueDepth: 4,
  storageLanes: 16,
  fileBytes: 0,
  treeShared: false,
  renameInto: 'same',
  agentsMinimum: 1,
  leaseMs: 10_000,
  settleTimeoutMs: 60_000,
  assign: 'dynamic',
  delayMs: 0,
  arrivals: 'constant',
  headroom: true,
  stableWindowMs: 10_000,
  stableAtMostMs: 600_000,
  networkDurationMs: 10_000,
  networkBlockBytes: MiB,
  networkStreams: 1,
  networkDirection: 'both',
  mixedReads: 70,
  mixedWrites: 30,
  mixedBlockBytes: 4 * KiB,
  mixedOrder: 'random',
  mixedStrideBlocks: 16,
  mixedThetaMilli: 990,
  /** Rounds over the size of the data, by time: few operations on each shard, so that all of the data is visited soon. */
  mixedRounds: 16,
} as const;
