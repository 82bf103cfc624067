/** Where machines come from, and the placement of lanes on them, as plain objects. */
import type { JsPlacement, JsPlacementOptions, JsPoolPlacement, JsTopologySource } from '../binding.js';
import { binding } from './binding.js';
import { native } from './errors.js';
import type { Topology } from './machine.js';

/** Where a topology comes from: an XML file of hwloc, a synthetic description, or (neither) this machine. */
export type TopologySource = JsTopologySource;
/** What may be asked of a placement. */
export type PlacementOptions = JsPlacementOptions;
/** Pools with their lanes, and the cores that were reserved. */
export type Placement = JsPlacement;
/** The lanes of one NUMA node. */
export type PoolPlacement = JsPoolPlacement;

/**
 * Loads a topology.
 *
 * @param options.devices Whether network and storage devices are looked for, which takes tens of milliseconds on this
 *   machine. Usually they are.
 * @throws SeedstormError TOPOLOGY_UNREADABLE.
 */
export function loadTopology(source: TopologySource = {}, { devices = true }: { devices?: boolean } = {}): Topology {
  return native(() => binding.loadTopology(source, devices));
}

/**
 * A machine as XML of hwloc 2, to be loaded elsewhere as `xmlFile`, or by `lstopo -i`: what loads from it is the same
 * machine with the same limits and devices, this process's affinity included.
 * @throws SeedstormError TOPOLOGY_UNREADABLE.
 */
export function exportTopology(source: TopologySource = {}): string {
  return native(() => binding.exportTopology(source));
}

/**
 * Places lanes on a machine: pools with their lanes, without starting any.
 * @throws SeedstormError TOPOLOGY_UNREADABLE, NO_CORES, INVALID_ARGUMENT.
 */
export function place(source: TopologySource = {}, options: PlacementOptions = {}): Placement {
  return native(() => binding.place(source, options));
}
