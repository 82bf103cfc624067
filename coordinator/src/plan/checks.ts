/**
 * What must hold between the keys of a plan. Each check looks at the sections it is about, and is left out when one
 * of them is not valid by itself, so that one mistake does not hide another.
 */
import { checkBlock } from './checks-block.js';
import { checkFiles, checkPaths } from './checks-file.js';
import { checkMixed, checkShards } from './checks-mixed.js';
import { checkRates } from './checks-rates.js';
import { checkS3 } from './checks-s3.js';
import { checkSweep } from './checks-sweep.js';
import { checkTime } from './checks-time.js';
import { checkTree, checkTreeOrder, checkTreeStages, treeOf } from './checks-tree.js';
import { defaults } from './choices.js';
import { largestBlock } from './geometry.js';
import { invalid, type Problem } from './problems.js';
import { isSized, type Plan, type StageKind } from './schema.js';
import { formatRatio, formatSize } from './units.js';

/** The sections of a plan that are valid by themselves. */
export type Sections = { readonly [K in keyof Plan]?: Plan[K] | undefined };

/** What does not fit together in a plan that makes its data. */
export function checkSections(sections: Sections): Problem[] {
  const problems = checkEach(sections);
  const { data, target, stages } = sections;
  if (problems.length > 0 || data === undefined || target === undefined || stages === undefined) return problems;
  return isSized(data) ? checkShards({ ...sections, data, target, stages }) : problems;
}

function checkEach(sections: Sections): Problem[] {
  const { target, stages } = sections;
  const tree = target === undefined ? undefined : treeOf(target);
  const data = sections.data === undefined || !isSized(sections.data) ? undefined : sections.data;
  return [
    ...(sections.data === undefined ? [] : checkDedup(sections.data)),
    ...(sections.data === undefined || target === undefined || tree !== undefined ? [] : checkSize(sections.data)),
    ...(sections.data === undefined || target?.kind !== 'file' || tree === undefined
      ? []
      : checkTree(sections.data, target, tree)),
    ...(target?.kind === 'file' ? checkPaths(target) : []),
    ...(data === undefined || target?.kind !== 'file' || tree !== undefined ? [] : checkFiles(data, target)),
    ...(data === undefined || target?.kind !== 'block' ? [] : checkBlock(data, target)),
    ...(sections.data === undefined || target === undefined
      ? []
      : checkLoad({ data: sections.data, target, load: sections.load })),
    ...(data === undefined || target?.kind !== 's3' ? [] : checkS3(data, target)),
    ...(stages === undefined || target === undefined ? [] : checkStages(stages, target)),
    ...(stages === undefined
      ? []
      : checkRates(stages, { swept: sections.sweep?.rate, hasEmptyFiles: tree !== undefined && !tree.fileSize })),
    ...(stages === undefined || target === undefined ? [] : checkMixedStages(stages, { ...sections, target })),
    ...((data ?? (tree === undefined ? undefined : sections.data)) === undefined ||
    sections.data === undefined ||
    target === undefined ||
    stages === undefined
      ? []
      : checkSweep({ ...sections, data: sections.data, target, stages }, checkLoad)),
  ];
}

function checkSize(data: Plan['data']): Problem[] {
  if (isSized(data)) return [];
  return [invalid(['data', 'size'], 'data.size is missing', 'add it, such as size: 10TiB', 'key')];
}

function checkDedup(data: Plan['data']): Problem[] {
  const { dedup } = data;
  if (dedup?.window === undefined || dedup.ratio <= 1000 * 2 ** dedup.window) return [];
  const what = `data.dedup.ratio: a window of ${2 ** dedup.window} units cannot carry a ratio of ${formatRatio(dedup.ratio)}`;
  return [invalid(['data', 'dedup', 'ratio'], what, 'raise the window to at least the ratio, or lower the ratio')];
}

/** The most memory of the blocks that one lane has in flight: what Linux registers in one piece. */
const maxLaneBytes = 1024 ** 3;

/** Checks what the lanes of a plan have in flight. */
function checkLoad({ data, target, load }: Pick<Plan, 'data' | 'target'> & { load?: Plan['load'] }): Problem[] {
  const queues = target.kind === 'block' || (target.kind === 'file' && target.tree === undefined);
  return queues ? checkDepth(data, target.io?.block, load) : [];
}

function checkDepth(data: Plan['data'], wanted: number | undefined, load: Plan['load']): Problem[] {
  const block = wanted ?? largestBlock(data.unit ?? defaults.unitBytes);
  const depth = load?.queueDepth ?? defaults.queueDepth;
  if (block * depth <= maxLaneBytes) return [];
  const what = `load.queueDepth: ${depth} blocks of ${formatSize(block)} are more than 1 GiB for each lane`;
  const mend = `write at most ${Math.floor(maxLaneBytes / block)}, or choose a smaller target.io.block`;
  return [invalid(['load', 'queueDepth'], what, mend)];
}

function checkStages(stages: Plan['stages'], target: Plan['target']): Problem[] {
  const problems = checkTreeStages(stages, target);
  if (treeOf(target) !== undefined) {
    const times = stages.flatMap(({ kind, time }, index) =>
      time === undefined ? [] : checkTime(['stages', index, kind], `stages[${index}].${kind}`, time),
    );
    return [...problems, ...times, ...checkTreeOrder(stages)];
  }
  const refused = new Set(problems.map(({ path }) => path[1]));
  const targetKind = target.kind;
  /** Whether there is data on the target before the stage, and which stage deleted it if one did. */
  let written = false;
  let deletedBy: number | undefined;
  for (const [index, { kind, time }] of stages.entries()) {
    const path = ['stages', index, kind];
    const name = `stages[${index}].${kind}`;
    if (time !== undefined) problems.push(...checkTime(path, name, time));
    if (refused.has(index)) {
      // One word about it is enough.
    } else if (kind === 'write') {
      written = true;
      deletedBy = undefined;
    } else if (kind === 'generate') {
      // Needs nothing and leaves nothing.
    } else if (kind === 'network') {
      problems.push(...checkNetwork([...path], name, stages[index]?.network));
    } else if (targetKind === 'null') {
      const what = `${name}: a null target keeps nothing that could be ${participles[kind]}`;
      problems.push(invalid(path, what, 'use a file, S3 or memory target, or remove the stage', 'key'));
    } else if (!written) {
      const why = deletedBy === undefined ? 'nothing was written before it' : `stages[${deletedBy}] deleted the data`;
      const what = `${name}: there is nothing to ${kind === 'mixed' ? 'overwrite' : kind}; ${why}`;
      const mend = deletedBy === undefined ? 'put a write stage before it' : 'put it before the delete stage';
      problems.push(invalid(path, what, kind === 'delete' && deletedBy !== undefined ? 'remove it' : mend, 'key'));
    } else if (kind === 'delete') {
      written = false;
      deletedBy = index;
    }
  }
  return problems;
}

function checkMixedStages(stages: Plan['stages'], around: Sections & { readonly target: Plan['target'] }): Problem[] {
  return stages.flatMap(({ mixed }, index) => (mixed === undefined ? [] : checkMixed(index, mixed, around)));
}

export function checkNetwork(
  path: (string | number)[],
  name: string,
  network: Plan['stages'][number]['network'],
): Problem[] {
  if (network?.direction !== 'one-way' || network.pattern === 'pairs' || network.pattern === 'coordinator') return [];
  const what = `${name}.direction: all-to-all is both ways by its nature`;
  return [invalid([...path, 'direction'], what, 'set pattern to pairs or coordinator, or leave direction out')];
}

const participles: Record<Exclude<StageKind, 'write' | 'generate' | 'network'>, string> = {
  stat: 'looked at',
  list: 'listed',
  mkdir: 'made',
  create: 'created',
  rename: 'renamed',
  read: 'read',
  verify: 'verified',
  mixed: 'overwritten',
  delete: 'deleted',
};
