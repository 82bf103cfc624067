/**
 * What must hold between the keys of a plan. Each check looks at the sections it is about, and is left out when one
 * of them is not valid by itself, so that one mistake does not hide another.
 */
import { largestBlock } from './geometry.js';
import { invalid, type Problem } from './problems.js';
import {
  defaults,
  maxObjects,
  type Plan,
  type PlanBlockTarget,
  type PlanFileTarget,
  type StageKind,
} from './schema.js';
import { formatRatio, formatSize } from './units.js';

/** The sections of a plan that are valid by themselves. */
export type Sections = { readonly [K in keyof Plan]?: Plan[K] | undefined };

/** What does not fit together. */
export function checkSections(sections: Sections): Problem[] {
  const { data, target, stages } = sections;
  return [
    ...(data === undefined ? [] : checkDedup(data)),
    ...(data === undefined || target?.kind !== 'file' ? [] : checkFiles(data, target)),
    ...(data === undefined || target?.kind !== 'block' ? [] : checkBlock(data, target)),
    ...(data === undefined || target === undefined || (target.kind !== 'file' && target.kind !== 'block')
      ? []
      : checkDepth(data, target.io?.block, sections.load)),
    ...(stages === undefined || target === undefined ? [] : checkStages(stages, target.kind)),
  ];
}

function checkDedup(data: Plan['data']): Problem[] {
  const { dedup } = data;
  if (dedup?.window === undefined || dedup.ratio <= 1000 * 2 ** dedup.window) return [];
  const what = `data.dedup.ratio: a window of ${2 ** dedup.window} units cannot carry a ratio of ${formatRatio(dedup.ratio)}`;
  return [invalid(['data', 'dedup', 'ratio'], what, 'raise the window to at least the ratio, or lower the ratio')];
}

function checkFiles(data: Plan['data'], target: PlanFileTarget): Problem[] {
  const unitBytes = data.unit ?? defaults.unitBytes;
  const unit = formatSize(unitBytes);
  const units = (data.size + BigInt(unitBytes) - 1n) / BigInt(unitBytes);
  const { files, align, io } = target;
  const problems: Problem[] = [];
  const refuse = (path: readonly string[], what: string, mend: string) => {
    problems.push(invalid(['target', ...path], `target.${path.join('.')}: ${what}`, mend));
  };

  const block = io?.block ?? largestBlock(unitBytes);
  const blockText = formatSize(block);
  const misfit = blockMisfit(block, unitBytes);
  if (misfit !== undefined) {
    refuse(['io', 'block'], misfit.what, misfit.mend);
  } else if (block % 4096 !== 0 && io?.direct !== false) {
    const what = `${blockText} is not a multiple of 4096, which I/O around the page cache needs`;
    refuse(['io', 'block'], what, 'write a multiple of 4096, or set target.io.direct to false');
  }

  const fileBytes = files?.size;
  if (fileBytes !== undefined) {
    const grain = Math.max(unitBytes, block);
    if (fileBytes % unitBytes !== 0 || (block % unitBytes === 0 && fileBytes % block !== 0)) {
      const up = Math.ceil(fileBytes / grain) * grain;
      const what = `${formatSize(fileBytes)} is not a whole number of ${grain === block ? 'blocks' : 'units'} of ${formatSize(grain)}`;
      refuse(['files', 'size'], what, `write ${formatSize(up)}, or another multiple of ${formatSize(grain)}`);
    } else if (units / BigInt(fileBytes / unitBytes) > BigInt(maxObjects)) {
      refuse(['files', 'size'], `makes more than ${maxObjects} files`, 'write a larger size');
    }
  }
  if (files?.count !== undefined && BigInt(files.count) > units) {
    const what = `${files.count} files need at least as many units, and the data has ${units} of ${unit}`;
    refuse(['files', 'count'], what, `write at most ${units}, or choose a smaller data.unit`);
  }
  if (align !== undefined && files?.count !== 1) {
    refuse(['align'], 'is for one shared file', 'set target.files to { count: 1 }, or leave align out');
  } else if (align !== undefined && align % unitBytes !== 0 && unitBytes % align !== 0) {
    const mend = 'write a part or a multiple of the unit';
    refuse(['align'], `${formatSize(align)} neither divides the unit of ${unit} nor is a multiple of it`, mend);
  }
  return problems;
}

/** The most memory of the blocks that one lane has in flight: what Linux registers in one piece. */
const maxLaneBytes = 1024 ** 3;

function checkDepth(data: Plan['data'], wanted: number | undefined, load: Plan['load']): Problem[] {
  const block = wanted ?? largestBlock(data.unit ?? defaults.unitBytes);
  const depth = load?.queueDepth ?? defaults.queueDepth;
  if (block * depth <= maxLaneBytes) return [];
  const what = `load.queueDepth: ${depth} blocks of ${formatSize(block)} are more than 1 GiB for each lane`;
  const mend = `write at most ${Math.floor(maxLaneBytes / block)}, or choose a smaller target.io.block`;
  return [invalid(['load', 'queueDepth'], what, mend)];
}

function checkBlock(data: Plan['data'], { io, offset = 0, size, align }: PlanBlockTarget): Problem[] {
  const unitBytes = data.unit ?? defaults.unitBytes;
  const unit = formatSize(unitBytes);
  const dataBytes = ((data.size + BigInt(unitBytes) - 1n) / BigInt(unitBytes)) * BigInt(unitBytes);
  const problems: Problem[] = [];
  const refuse = (path: readonly string[], what: string, mend: string) => {
    problems.push(invalid(['target', ...path], `target.${path.join('.')}: ${what}`, mend));
  };
  const misfit = blockMisfit(io?.block ?? largestBlock(unitBytes), unitBytes);
  if (misfit !== undefined) refuse(['io', 'block'], misfit.what, misfit.mend);
  for (const [name, bytes] of [
    ['offset', offset],
    ['size', size ?? 0],
  ] as const) {
    if (bytes % unitBytes !== 0) {
      const up = Math.ceil(bytes / unitBytes) * unitBytes;
      refuse([name], `${formatSize(bytes)} is not a whole number of units of ${unit}`, `write ${formatSize(up)}`);
    }
  }
  if (size !== undefined && dataBytes > BigInt(size)) {
    const what = `${formatSize(size)} cannot hold the data, ${formatSize(dataBytes)}`;
    refuse(['size'], what, 'raise it, leave it out, or lower data.size');
  }
  if (align !== undefined && align % unitBytes !== 0 && unitBytes % align !== 0) {
    const mend = 'write a part or a multiple of the unit';
    refuse(['align'], `${formatSize(align)} neither divides the unit of ${unit} nor is a multiple of it`, mend);
  }
  return problems;
}

/** What is wrong with blocks of this size, if anything. */
function blockMisfit(block: number, unitBytes: number): { what: string; mend: string } | undefined {
  if (unitBytes % block === 0 || block % unitBytes === 0) return undefined;
  const what = `${formatSize(block)} neither divides the unit of ${formatSize(unitBytes)} nor is a multiple of it`;
  return { what, mend: `write ${formatSize(largestBlock(unitBytes))}, or another part or multiple of the unit` };
}

function checkStages(stages: Plan['stages'], targetKind: Plan['target']['kind']): Problem[] {
  const problems: Problem[] = [];
  /** Whether there is data on the target before the stage, and which stage deleted it if one did. */
  let written = false;
  let deletedBy: number | undefined;
  for (const [index, { kind }] of stages.entries()) {
    const path = ['stages', index, kind];
    const name = `stages[${index}].${kind}`;
    if (kind === 'write') {
      written = true;
      deletedBy = undefined;
    } else if (kind === 'generate') {
      // Needs nothing and leaves nothing.
    } else if (kind === 'network') {
      problems.push(...checkNetwork([...path], name, stages[index]?.network));
    } else if (targetKind === 'null') {
      const what = `${name}: a null target keeps nothing that could be ${participles[kind]}`;
      problems.push(invalid(path, what, 'use a file or memory target, or remove the stage', 'key'));
    } else if (!written) {
      const why = deletedBy === undefined ? 'nothing was written before it' : `stages[${deletedBy}] deleted the data`;
      const what = `${name}: there is nothing to ${kind}; ${why}`;
      const mend = deletedBy === undefined ? 'put a write stage before it' : 'put it before the delete stage';
      problems.push(invalid(path, what, kind === 'delete' && deletedBy !== undefined ? 'remove it' : mend, 'key'));
    } else if (kind === 'delete') {
      written = false;
      deletedBy = index;
    }
  }
  return problems;
}

function checkNetwork(path: (string | number)[], name: string, network: Plan['stages'][number]['network']): Problem[] {
  if (network?.direction !== 'one-way' || network.pattern === 'pairs' || network.pattern === 'coordinator') return [];
  const what = `${name}.direction: all-to-all is both ways by its nature`;
  return [invalid([...path, 'direction'], what, 'set pattern to pairs or coordinator, or leave direction out')];
}

const participles: Record<Exclude<StageKind, 'write' | 'generate' | 'network'>, string> = {
  read: 'read',
  verify: 'verified',
  delete: 'deleted',
};
