/**
 * How a tree of files is cut. Each file is the first bytes of units of its own, so that seed ranges lease files, and all
 * that is done by ranges is done to files. Pure arithmetic.
 */

import { defaults } from './choices.js';
import { type Geometry, largestBlock } from './geometry.js';
import type { PlanTree } from './schema-tree.js';

const MiB = 1024 ** 2;
const sectorBytes = 4096;

/** A tree of directories with files of one size. */
export interface LayoutTree {
  readonly directories: number;
  readonly filesPerDirectory: number;
  readonly fileBytes: number;
  /** How many directories lie in each directory, and at the top; 0: all lie side by side. */
  readonly branching: number;
}

/** What the files of a tree are called, and how many directories behind their home they lie. */
export interface TreeNames {
  readonly renames: number;
  readonly shift: number;
}

/** The names that files are created with. */
export const firstNames: TreeNames = { renames: 0, shift: 0 };

/** Bytes in a unit where the plan does not say: one unit holds a file, as long as that is no unwieldy unit. */
export function treeUnitBytes({ fileSize = defaults.fileBytes }: PlanTree, wanted: number | undefined): number {
  if (wanted !== undefined) return wanted;
  return Math.min(MiB, Math.max(sectorBytes, Math.ceil(fileSize / sectorBytes) * sectorBytes));
}

/** Units that a file has for itself; an empty one has one, to be leased by. */
export function unitsPerFile({ fileSize = defaults.fileBytes }: PlanTree, unitBytes: number): number {
  return Math.max(1, Math.ceil(fileSize / unitBytes));
}

/** The geometry of a tree that has passed the checks. */
export function treeGeometry(
  tree: PlanTree,
  wantedUnit: number | undefined,
  wantedBlock: number | undefined,
): Geometry {
  const unitBytes = treeUnitBytes(tree, wantedUnit);
  const perFile = unitsPerFile(tree, unitBytes);
  const { directories, filesPerDirectory, fileSize = defaults.fileBytes, branching = 0 } = tree;
  const files = directories * filesPerDirectory;
  const isShared = tree.shared ?? (directories === 1 || defaults.treeShared);
  const grainFiles = isShared ? 1 : filesPerDirectory;
  return {
    layout: {
      units: files * perFile,
      unitBytes,
      unitsPerObject: perFile,
      objects: files,
      tree: { directories, filesPerDirectory, fileBytes: fileSize, branching },
    },
    blockBytes: wantedBlock ?? largestBlock(unitBytes),
    grainUnits: grainFiles * perFile,
    leaseUnits: grainFiles * perFile * Math.max(1, Math.floor(leaseFiles(files) / grainFiles)),
  };
}

/**
 * Files that one lease aims at: 1/1024 of them, so that hundreds of agents each get several; no less than 4,096 and no more
 * than 65,536, so that an agent that does 100,000 a second asks a few times a second and a dead one loses seconds; but
 * never more than 1/64 of the files, so that small runs are shared out too.
 */
function leaseFiles(files: number): number {
  return Math.min(files / 64, Math.max(4096, Math.min(65_536, files / 1024)));
}
