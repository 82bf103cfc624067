/** What must hold between the keys of a file target, and between these and the data. */
import path from 'node:path';
import { defaults, maxObjects } from './choices.js';
import { largestBlock, unitsIn } from './geometry.js';
import { invalid, type Problem } from './problems.js';
import type { PlanFileTarget, SizedData } from './schema.js';
import { formatSize } from './units.js';

/** The least that any storage wants of I/O around the page cache. */
const sectorBytes = 512;

/** What is wrong with the paths by themselves. */
export function checkPaths(target: PlanFileTarget): Problem[] {
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

/** What does not fit together. */
export function checkFiles(data: SizedData, target: PlanFileTarget): Problem[] {
  const unitBytes = data.unit ?? defaults.unitBytes;
  const unit = formatSize(unitBytes);
  const units = unitsIn(data.size, unitBytes);
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
