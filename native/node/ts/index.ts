/** Seedstorm's native engine for TypeScript: plain objects in and out, errors with codes, explicit `close`. */
export { type ContentParameters, contentBytes, contentKey, defaultWindowBits } from './content.js';
export { Engine, type EngineOptions, type LaneBench } from './engine.js';
export { DataGenerator, type DataGeneratorOptions } from './generator.js';
export { MemoryStore, monotonicNs, Task, type TaskSnapshot, type TaskSpec } from './task.js';
export {
  loadTopology,
  type PlacementOptions,
  type PoolPlacement,
  place,
  type Topology,
  type TopologySource,
} from './topology.js';
