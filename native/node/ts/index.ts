/** Seedstorm's native engine for TypeScript: plain objects in and out, errors with codes. See docs/library.md. */
export { type BlockPlace, type BlockUse, type LookedAtDevice, lookAtDevice } from './block.js';
export { allocateBuffers, type BufferPlace, type BufferRequest, bufferPlace } from './buffers.js';
export { type ContentParameters, contentBytes, contentKey, defaultWindowBits } from './content.js';
export { Engine, type EngineOptions, type LaneBench, type LaneExplanation } from './engine.js';
export { generateBuffer, generateInto } from './generate.js';
export { DataGenerator, type DataGeneratorOptions } from './generator.js';
export type {
  Core,
  CoreKind,
  DataCache,
  Device,
  Die,
  Distances,
  Group,
  NumaNode,
  Package,
  Topology,
} from './machine.js';
export type { MemoryOptions } from './memory.js';
export { Network, type NetworkSnapshot, type NetworkSpec, type NetworkTarget, type Unreached } from './network.js';
export { listS3Notes, putS3Note, readS3Note, removeS3Note } from './notes.js';
export type { Codec, ContentOptions } from './parameters.js';
export { ObjectPool, type ObjectPoolOptions } from './pool.js';
export type { ChunkOptions } from './readable.js';
export { lookAtHost, type Readiness } from './readiness.js';
export { checkS3, clearS3, type S3Sink } from './s3.js';
export { shutdown } from './shared-engine.js';
export { type Cache, type SystemInformation, systemInformation } from './system.js';
export { type DirectAlignment, directAlignment, dropCaches } from './target.js';
export {
  type FileWork,
  type LateWrites,
  lookAgain,
  MemoryStore,
  type Moved,
  monotonicNs,
  type Overwrites,
  type Pattern,
  type Place,
  type Reread,
  type ShardHistory,
  Task,
  type TaskSnapshot,
  type TaskSpec,
} from './task.js';
export {
  exportTopology,
  loadTopology,
  type Placement,
  type PlacementOptions,
  type PoolPlacement,
  place,
  type TopologySource,
} from './topology.js';
export { VectorGenerator, type VectorOptions } from './vectors.js';
export { type Fault, identifyContent, type Run, type Verification } from './verify.js';
