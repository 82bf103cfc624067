/** A machine as plain objects. Positions (`package`, `l3`, `kind`, …) are those in the lists of {@link Topology}. */
import type {
  JsCache,
  JsCore,
  JsCoreKind,
  JsDevice,
  JsDie,
  JsDistances,
  JsGroup,
  JsNumaNode,
  JsPackage,
  JsTopology,
} from '../binding.js';

/**
 * A machine: packages, groups, dies, NUMA nodes, caches, cores and their kinds, PUs, distances, devices, what of it is
 * on-line and what may be used. Lists are in hwloc's order, in which neighbours in the machine are neighbours.
 */
export type Topology = JsTopology;
/** A package (socket). */
export type Package = JsPackage;
/** A group of packages, or of cores inside a package. */
export type Group = JsGroup;
/** A die. */
export type Die = JsDie;
/** A NUMA node: memory, its kind and size, and the PUs local to it. */
export type NumaNode = JsNumaNode;
/** A data or unified cache. */
export type DataCache = JsCache;
/** A kind of cores. */
export type CoreKind = JsCoreKind;
/** A core. */
export type Core = JsCore;
/** Relative latencies between NUMA nodes. */
export type Distances = JsDistances;
/** A network or storage device, and what it is near to. */
export type Device = JsDevice;
