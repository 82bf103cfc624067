/** What must hold between a tree of files, the rest of its target, the data and the stages. */
import { maxObjects, treeStages } from './choices.js';
import { largestBlock } from './geometry.js';
import { treeUnitBytes, unitsPerFile } from './geometry-tree.js';
import { invalid, type Problem } from './problems.js';
import type { Plan, PlanFileTarget, PlanTarget } from './schema.js';
import type { PlanTree } from './schema-tree.js';
import { formatSize } from './units.js';

/** The most directories one inside another: paths stay far below the 4096 bytes that Linux takes. */
const maxDepth = 128;

/** The tree of a target, if it has one. */
export function treeOf(target: PlanTarget): PlanTree | undefined {
  return target.kind === 'file' ? target.tree : undefined;
}

/** What does not fit together in a target with a tree. */
export function checkTree(data: Plan['data'], target: PlanFileTarget, tree: PlanTree): Problem[] {
  const problems: Problem[] = [];
  const refuse = (at: readonly string[], what: string, mend: string, where: 'key' | 'value' = 'value') => {
    problems.push(invalid(at, `${at.join('.')}: ${what}`, mend, where));
  };
  if (data.size !== undefined) {
    refuse(['data', 'size'], "the tree's files say how much data there is", 'leave it out', 'key');
  }
  const files = tree.directories * tree.filesPerDirectory;
  if (files > maxObjects) {
    refuse(['target', 'tree', 'filesPerDirectory'], `makes more than ${maxObjects} files`, 'write fewer');
  }
  const depth = depthOf(tree);
  if (depth > maxDepth) {
    const what = `directories would lie more than ${maxDepth} deep`;
    refuse(['target', 'tree', 'branching'], what, 'write a larger number, or fewer directories');
  }
  const unitBytes = treeUnitBytes(tree, data.unit);
  if (files * unitsPerFile(tree, unitBytes) > Number.MAX_SAFE_INTEGER / unitBytes) {
    refuse(['target', 'tree', 'fileSize'], 'makes more data than can be accounted for', 'write less');
  }
  for (const key of ['files', 'align'] as const) {
    if (target[key] === undefined) continue;
    refuse(['target', key], 'is for large files, and the target is a tree of small ones', 'leave it out', 'key');
  }
  if ((target.paths?.length ?? 0) > 1) {
    refuse(['target', 'paths'], 'a tree lies in one path', 'write one, or run a plan for each');
  }
  if (target.scope === 'local') {
    refuse(['target', 'scope'], 'a tree is shared by all agents', 'leave it out, or run a plan on each host');
  }
  const { block, direct, sync, preallocate } = target.io ?? {};
  if (direct === true) {
    refuse(['target', 'io', 'direct'], 'files of a tree are read and written buffered', 'leave it out');
  }
  if (sync === 'end') {
    refuse(['target', 'io', 'sync'], 'files of a tree are closed one by one', 'write range, file, block or never');
  }
  if (preallocate === true || preallocate === 'auto') {
    refuse(['target', 'io', 'preallocate'], 'files of a tree are written whole at once', 'leave it out');
  }
  if (block !== undefined && unitBytes % block !== 0 && block % unitBytes !== 0) {
    const what = `${formatSize(block)} neither divides the unit of ${formatSize(unitBytes)} nor is a multiple of it`;
    refuse(['target', 'io', 'block'], what, `leave it out, or write ${formatSize(largestBlock(unitBytes))}`);
  }
  return problems;
}

function depthOf({ directories, branching }: PlanTree): number {
  if (branching === undefined) return 1;
  let depth = 1;
  for (let at = directories - 1; at >= branching && depth <= maxDepth; depth++) at = Math.floor(at / branching) - 1;
  return depth;
}

/** Which stages a target has no use for, whatever came before them. */
export function checkTreeStages(stages: Plan['stages'], target: PlanTarget): Problem[] {
  const isTree = treeOf(target) !== undefined;
  return stages.flatMap(({ kind }, index) => {
    const name = `stages[${index}].${kind}`;
    const refuse = (what: string, mend: string) => [invalid(['stages', index, kind], `${name}: ${what}`, mend, 'key')];
    const isOfTrees = treeStages.some((each) => each === kind);
    if (isOfTrees && !isTree) {
      return refuse(
        'there is no tree of files to work on',
        'give a file target a tree, such as tree: { directories: 1000, filesPerDirectory: 1000 }',
      );
    }
    if (kind === 'write' && isTree) return refuse('files of a tree are created', 'write - create: {} instead');
    if ((kind === 'stat' || kind === 'list') && !['file', 's3'].includes(target.kind)) {
      return refuse(`a ${target.kind} target has no names to look at`, 'use a file or s3 target, or remove the stage');
    }
    return [];
  });
}

/** What the stages of a tree find: directories must be there for files, and files for the rest. */
export function checkTreeOrder(stages: Plan['stages']): Problem[] {
  const problems: Problem[] = [];
  let directories = false;
  let files = false;
  for (const [index, { kind }] of stages.entries()) {
    const refuse = (what: string, mend: string) =>
      problems.push(invalid(['stages', index, kind], `stages[${index}].${kind}: ${what}`, mend, 'key'));
    if (kind === 'mkdir') {
      if (directories) refuse('the directories are there already', 'remove it, or put a delete stage before it');
      directories = true;
    } else if (kind === 'create') {
      if (!directories) refuse('there are no directories to create files in', 'put a mkdir stage before it');
      else if (files) refuse('the files are there already', 'remove it, or put a delete stage before it');
      files = true;
    } else if (kind === 'delete') {
      if (!directories) refuse('there is nothing to delete', 'remove it');
      directories = false;
      files = false;
    } else if (kind !== 'generate' && kind !== 'network' && kind !== 'write' && !files) {
      refuse(`there is nothing to ${kind}; no files were created before it`, 'put a create stage before it');
    }
  }
  return problems;
}
