/** The machine, and the placement of lanes on it, as plain objects. */
import type { JsPlacementOptions, JsPoolPlacement, JsTopology, JsTopologySource } from '../binding.js';
import { binding } from './binding.js';
import { native } from './errors.js';

/** Where a topology comes from: an XML file of hwloc, a synthetic description, or (neither) this machine. */
export type TopologySource = JsTopologySource;
/** A machine: packages, NUMA nodes, caches, cores, PUs, distances, and what of it may be used. */
export type Topology = JsTopology;
/** What may be asked of a placement. */
export type PlacementOptions = JsPlacementOptions;
/** The lanes of one NUMA node. */
export type PoolPlacement = JsPoolPlacement;

/**
 * Loads a topology.
 * @throws SeedstormError TOPOLOGY_UNREADABLE.
 */
export function loadTopology(source: TopologySource = {}): Topology {
  return native(() => binding.loadTopology(source));
}

/**
 * Places lanes on a machine: pools with their lanes, without starting any.
 * @throws SeedstormError TOPOLOGY_UNREADABLE, NO_CORES, INVALID_ARGUMENT.
 */
export function place(source: TopologySource = {}, options: PlacementOptions = {}): PoolPlacement[] {
  return native(() => binding.place(source, options));
}
