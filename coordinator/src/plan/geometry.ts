/**
 * How a plan's data is cut: units into objects (files), objects into leases, units into blocks. Pure arithmetic,
 * the same for every agent.
 */

import { defaults } from './choices.js';
import { type LayoutTree, treeGeometry } from './geometry-tree.js';
import { objectSizes, sum } from './object-sizes.js';
import type { Plan, PlanBlockTarget, PlanFileTarget, PlanS3Target, PlanTarget } from './schema.js';
import { s3Defaults } from './schema-s3.js';

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;

/** The pure function from a unit to its object and offset: unit u lies in object ⌊u / unitsPerObject⌋, or by `sizes`. */
export interface Layout {
  readonly units: number;
  readonly unitBytes: number;
  /** Units in an object; in the largest where sizes differ. */
  readonly unitsPerObject: number;
  /** How many objects; where sizes differ, within a group of as many as `sizes` has. */
  readonly objects: number;
  /** Units of the objects of each group, in an order of its own that the engine makes of the content's seed. */
  readonly sizes?: readonly number[];
  /** The tree that its files lie in; each has `fileBytes` of the units of its object. */
  readonly tree?: LayoutTree;
}

/** How the data is cut for the layout, for I/O and for leases. */
export interface Geometry {
  readonly layout: Layout;
  /** Bytes in one I/O. */
  readonly blockBytes: number;
  /** Leases begin and end on multiples of this many units. */
  readonly grainUnits: number;
  /** Units in one lease under `assign: dynamic`; a multiple of `grainUnits`. */
  readonly leaseUnits: number;
  /** Units of a shard, from each object's beginning on; absent where no stage overwrites single blocks. */
  readonly shardUnits?: number;
}

/**
 * The largest part of a unit that is a whole number of 4 KiB and at most `limit`: the block where the plan names
 * none, so that a unit is a whole number of blocks whatever its size.
 */
export function largestBlock(unitBytes: number, limit = MiB): number {
  const cells = unitBytes / 4096;
  let parts = Math.ceil(unitBytes / limit);
  while (cells % parts !== 0) parts += 1;
  return unitBytes / parts;
}

/** The geometry of a plan that has passed the checks. */
export function geometryOf(plan: Plan): Geometry {
  const { target } = plan;
  if (target.kind === 'file' && target.tree !== undefined) {
    return treeGeometry(target.tree, plan.data.unit, target.io?.block);
  }
  const unitBytes = plan.data.unit ?? defaults.unitBytes;
  const units = Number(unitsIn(plan.data.size ?? 0n, unitBytes));
  if (target.kind === 's3') return s3Geometry(target, units, unitBytes);
  const blockBytes = (isStorage(target) ? target.io?.block : undefined) ?? defaultBlock(plan, unitBytes);
  // The units after which a unit and a block begin together: one block or one unit where one is a multiple of the other.
  const blockUnits = blockBytes / greatestCommonDivisor(blockBytes, unitBytes);
  // A file that only one agent at a time works on may end with a part of a block that fits no unit.
  const wholeBlocks = blockBytes % unitBytes === 0 ? blockUnits : 1;

  const file = target.kind === 'file' ? target : undefined;
  // A device is one object, which agents share as they share one file.
  const files = target.kind === 'block' ? { count: 1 } : file?.files;
  const alignBytes = isStorage(target) ? target.align : undefined;
  const alignUnits = alignBytes === undefined ? undefined : Math.max(1, Math.ceil(alignBytes / unitBytes));
  const unshardedGrain = roundUp(Math.max(blockUnits, alignUnits ?? 1), blockUnits);
  const shard = shardOf(plan, units, unitBytes, unshardedGrain);
  const sharedGrain = shard?.sharedGrain ?? unshardedGrain;
  const wanted = roundUp(objectUnits(files, units, unitBytes), wholeBlocks);
  // Leases lie on one grid over all units, so with several files these must begin on it.
  const unitsPerObject = alignUnits !== undefined && wanted < units ? roundUp(wanted, sharedGrain) : wanted;
  const objects = Math.ceil(units / unitsPerObject);

  // On node-local storage a file lies whole on one host; elsewhere agents share a file where the plan says how.
  const isShared = file?.scope !== 'local' && (objects === 1 || alignUnits !== undefined);
  const grainUnits = isShared ? Math.min(unitsPerObject, sharedGrain) : unitsPerObject;
  return {
    layout: { units, unitBytes, unitsPerObject, objects },
    blockBytes,
    grainUnits,
    leaseUnits: grainUnits * Math.max(1, Math.floor(leaseTarget(units * unitBytes) / unitBytes / grainUnits)),
    ...(shard === undefined ? {} : { shardUnits: shard.units }),
  };
}

/** The most bytes of a shard: what is known of its blocks stays small, and a dead agent costs few. */
const maxShardBytes = 64 * MiB;

/**
 * How the data is cut into shards, where a stage overwrites blocks: whole units and whole blocks of every such stage, at most
 * 64 MiB where that can be, and so many that there are enough to share out. Where agents share an object, leases end on shards.
 */
function shardOf(
  { stages }: Plan,
  units: number,
  unitBytes: number,
  grain: number,
): { readonly units: number; readonly sharedGrain: number } | undefined {
  const blocks = stages.flatMap(({ mixed }) => (mixed === undefined ? [] : [mixed.block ?? defaults.mixedBlockBytes]));
  if (blocks.length === 0) return undefined;
  const common = blocks.reduce((least, block) => {
    const whole = block / greatestCommonDivisor(block, unitBytes);
    return (least / greatestCommonDivisor(least, whole)) * whole;
  }, 1);
  const target = Math.min(maxShardBytes, (units * unitBytes) / 64) / unitBytes;
  const multiple = (of: number): number => Math.max(of, Math.floor(target / of) * of);
  const onGrain = (grain / greatestCommonDivisor(grain, common)) * common;
  if (onGrain <= target) return { units: multiple(onGrain), sharedGrain: multiple(onGrain) };
  // A stripe is longer than a shard: the largest shard of which it is a multiple.
  let parts = Math.ceil(onGrain / multiple(common));
  while ((onGrain / common) % parts !== 0) parts += 1;
  return { units: onGrain / parts, sharedGrain: onGrain };
}

/** How many units so many bytes are, rounded up. */
export function unitsIn(bytes: bigint, unitBytes: number): bigint {
  return (bytes + BigInt(unitBytes) - 1n) / BigInt(unitBytes);
}

/** Bytes that so many units of a layout hold; in a tree what its files have of them. */
export function bytesOfUnits({ unitBytes, unitsPerObject, tree }: Layout, units: number): bigint {
  if (tree === undefined) return BigInt(units) * BigInt(unitBytes);
  const files = Math.floor(units / unitsPerObject);
  return BigInt(files) * BigInt(tree.fileBytes);
}

/** Objects of a store: an I/O is a whole object or a part of one, and leases end on objects. */
export function s3Geometry(target: PlanS3Target, units: number, unitBytes: number): Geometry {
  const { objects: cut } = target;
  const sizes = cut?.sizes === undefined ? undefined : objectSizes(cut.sizes, units, unitBytes);
  const unitsPerObject = Math.min(units, sizes === undefined ? objectUnits(cut, units, unitBytes) : Math.max(...sizes));
  const groupUnits = sizes === undefined ? unitsPerObject : sum(sizes);
  const groupObjects = sizes?.length ?? 1;
  const part = Math.min(partBytes(target, unitBytes), unitsPerObject * unitBytes);
  return {
    layout: {
      units,
      unitBytes,
      unitsPerObject,
      objects: Math.ceil((units / groupUnits) * groupObjects),
      ...(sizes === undefined ? {} : { sizes }),
    },
    blockBytes: part,
    grainUnits: groupUnits,
    leaseUnits: groupUnits * Math.max(1, Math.floor(leaseTarget(units * unitBytes) / unitBytes / groupUnits)),
  };
}

function partBytes({ part }: PlanS3Target, unitBytes: number): number {
  if (part !== undefined) return part;
  const about = s3Defaults.partBytes;
  return unitBytes > about ? largestBlock(unitBytes, about) : Math.floor(about / unitBytes) * unitBytes;
}

// Without storage the block only bounds the buffer: a quarter of a MiB stays in every L2 that matters.
function defaultBlock(plan: Plan, unitBytes: number): number {
  return largestBlock(unitBytes, isStorage(plan.target) ? MiB : MiB / 4);
}

function isStorage(target: PlanTarget): target is PlanFileTarget | PlanBlockTarget {
  return target.kind === 'file' || target.kind === 'block';
}

/**
 * Units per object. Without a word in the plan: 1/64 of the data, so that a small run still has enough objects to
 * share out and to hand over, and at most 1 GiB, so that a large one loses little with an agent.
 */
function objectUnits(
  files: { count?: number | undefined; size?: number | undefined } | undefined,
  units: number,
  unitBytes: number,
): number {
  if (files?.size !== undefined) return files.size / unitBytes;
  if (files?.count !== undefined) return Math.ceil(units / files.count);
  return Math.max(1, Math.min(Math.floor(GiB / unitBytes), Math.floor(units / 64)));
}

/**
 * Bytes that one lease aims at: 1/1024 of the data, so that hundreds of agents each get several; no less than 64 MiB
 * and no more than 4 GiB, so that a fast agent asks a few times a second and a dead one loses seconds; but never
 * more than 1/64 of the data, so that small runs are shared out too.
 */
function leaseTarget(dataBytes: number): number {
  return Math.min(dataBytes / 64, Math.max(64 * MiB, Math.min(4 * GiB, dataBytes / 1024)));
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}
