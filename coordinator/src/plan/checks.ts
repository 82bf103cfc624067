/**
 * What must hold between the keys of a plan. Each check looks at the sections it is about, and is left out when one
 * of them is not valid by itself, so that one mistake does not hide another.
 */
import path from 'node:path';
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

/** The least that any storage wants of I/O around the page cache. */
const sectorBytes = 512;

/** The sections of a plan that are valid by themselves. */
export type Sections = { readonly [K in keyof Plan]?: Plan[K] | undefined };

/** What does not fit together. */
export function checkSections(sections: Sections): Problem[] {
  const { data, target, stages } = sections;
  return [
    ...(data === undefined ? [] : checkDedup(data)),
    ...(target?.kind === 'file' ? checkPaths(target) : []),
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

function checkPaths(target: PlanFileTarget): Problem[] {
  const at = ['target', 'paths'];
  const { path: only, paths } = target;
  if (paths === undefined) {
    if (only !== undefined) return [];
    return [invalid(['target', 'path'], 'target.path is missing', 'add it, such as path: /lustre/qualify', 'key')];
  }
  if (only !== undefined) {
    return [invalid(at, 'target.paths: there is a path as well', 'write all folders in paths, or one in path', 'key')];
  }
  // What is said of folders by their names alone; whether two names are one folder, the agents see.
  const folders = paths.map((each) => path.posix.normalize(`${each}/`));
  return folders.flatMap((folder, index) => {
    const other = folders.findIndex(
      (each, i) => i !== index && folder.startsWith(each) && (folder !== each || i < index),
    );
    if (other === -1) return [];
    const how = folder === folders[other] ? 'is the same folder as' : 'lies inside';
    const what = `target.paths[${index}]: ${paths[index]} ${how} ${paths[other]}`;
    return [invalid([...at, index], what, 'name each folder once, and none inside another')];
  });
}

function checkFiles(data: Plan['data'], target: PlanFileTarget): Problem[] {
  const unitBytes = data.unit ?? defaults.unitBytes;
  const unit = formatSize(unitBytes);
  const units = (data.size + BigInt(unitBytes) - 1n) / BigInt(unitBytes);
  const { files, align, io } = target;
  const problems: Problem[] = [];
  const refuse = (at: readonly string[], what: string, mend: string) => {
    problems.push(invalid(['target', ...at], `target.${at.join('.')}: ${what}`, mend));
  };

  const block = io?.block ?? largestBlock(unitBytes);
  const blockText = formatSize(block);
  // Buffered files take any block; how much more than a sector O_DIRECT wants, the agents find.
  if (io?.direct !== false && unitBytes % block !== 0 && block % unitBytes !== 0) {
    const mend = `write ${formatSize(largestBlock(unitBytes))}, or another part or multiple of the unit, or set target.io.direct to false`;
    refuse(['io', 'block'], `${blockText} neither divides the unit of ${unit} nor is a multiple of it`, mend);
  } else if (io?.direct !== false && block % sectorBytes !== 0) {
    const what = `${blockText} is not a multiple of ${sectorBytes}, which I/O around the page cache needs`;
    refuse(['io', 'block'], what, `write a multiple of ${sectorBytes}, or set target.io.direct to false`);
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
  if (align !== undefined && target.scope === 'local') {
    refuse(['align'], 'is for files that agents share, and with scope: local they share none', 'leave align out');
  } else if (align !== undefined && fileBytes !== undefined && fileBytes % align !== 0) {
    const what = `files of ${formatSize(fileBytes)} are no whole number of ${formatSize(align)}`;
    refuse(['align'], what, 'write a part of files.size');
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
