/**
 * What must hold between the keys of a plan. Each check looks at the sections it is about, and is left out when one
 * of them is not valid by itself, so that one mistake does not hide another.
 */
import { largestBlock, s3Geometry } from './geometry.js';
import { invalid, type Problem } from './problems.js';
import { defaults, maxObjects, type Plan, type PlanFileTarget, type PlanS3Target, type StageKind } from './schema.js';
import { hasSecret } from './schema-s3.js';
import { formatRatio, formatSize } from './units.js';

/** The sections of a plan that are valid by themselves. */
export type Sections = { readonly [K in keyof Plan]?: Plan[K] | undefined };

/** What does not fit together. */
export function checkSections(sections: Sections): Problem[] {
  const { data, target, stages } = sections;
  return [
    ...(data === undefined ? [] : checkDedup(data)),
    ...(data === undefined || target?.kind !== 'file' ? [] : checkFiles(data, target)),
    ...(data === undefined || target?.kind !== 's3' ? [] : checkObjects(data, target)),
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
  if (unitBytes % block !== 0 && block % unitBytes !== 0) {
    const mend = `write ${formatSize(largestBlock(unitBytes))}, or another part or multiple of the unit`;
    refuse(['io', 'block'], `${blockText} neither divides the unit of ${unit} nor is a multiple of it`, mend);
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

/** The most parts that S3 lets an upload have. */
const maxParts = 10_000;

function checkObjects(data: Plan['data'], target: PlanS3Target): Problem[] {
  const unitBytes = data.unit ?? defaults.unitBytes;
  const unit = formatSize(unitBytes);
  const units = (data.size + BigInt(unitBytes) - 1n) / BigInt(unitBytes);
  const problems: Problem[] = [];
  const refuse = (path: readonly string[], what: string, mend: string) => {
    problems.push(invalid(['target', ...path], `target.${path.join('.')}: ${what}`, mend));
  };
  const { endpoint, endpoints, part, objects } = target;
  if ((endpoint === undefined) === (endpoints === undefined)) {
    const what = `target: needs either endpoint or endpoints`;
    problems.push(invalid(['target'], what, 'write one of them, such as endpoint: https://s3.example.com'));
  }
  if ([endpoint, ...(endpoints ?? [])].some((each) => each !== undefined && hasSecret(each))) {
    const path = endpoint === undefined ? 'endpoints' : 'endpoint';
    const mend = "write the address alone; credentials come from each agent's environment or profile";
    refuse([path], 'an address has a user or a password in it', mend);
  }
  if (part !== undefined && part % unitBytes !== 0 && unitBytes % part !== 0) {
    const what = `${formatSize(part)} neither divides the unit of ${unit} nor is a multiple of it`;
    refuse(['part'], what, 'write a part or a multiple of the unit');
  }
  const { count, size, sizes } = objects ?? {};
  if (size !== undefined && size % unitBytes !== 0) {
    const up = Math.ceil(size / unitBytes) * unitBytes;
    const what = `${formatSize(size)} is not a whole number of units of ${unit}`;
    refuse(['objects', 'size'], what, `write ${formatSize(up)}, or another multiple of ${unit}`);
  } else if (size !== undefined && units / BigInt(size / unitBytes) > BigInt(maxObjects)) {
    refuse(['objects', 'size'], `makes more than ${maxObjects} objects`, 'write a larger size');
  }
  if (count !== undefined && BigInt(count) > units) {
    const what = `${count} objects need at least as many units, and the data has ${units} of ${unit}`;
    refuse(['objects', 'count'], what, `write at most ${units}, or choose a smaller data.unit`);
  }
  const { uniform, lognormal } = sizes ?? {};
  if (uniform !== undefined && uniform.min > uniform.max) {
    refuse(['objects', 'sizes', 'uniform'], 'min is larger than max', 'write the smaller size as min');
  }
  if (lognormal !== undefined && lognormal.median > lognormal.max) {
    refuse(['objects', 'sizes', 'lognormal'], 'median is larger than max', 'write a larger max');
  }
  if (problems.length === 0) {
    const { layout, blockBytes } = s3Geometry(target, Number(units), unitBytes);
    if (layout.unitsPerObject * unitBytes > blockBytes * maxParts) {
      const what = `an object of ${formatSize(layout.unitsPerObject * unitBytes)} has more than ${maxParts} parts of ${formatSize(blockBytes)}`;
      refuse(['part'], what, 'write a larger part, or make objects smaller');
    }
  }
  return problems;
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
    } else if (targetKind === 'null') {
      const what = `${name}: a null target keeps nothing that could be ${participles[kind]}`;
      problems.push(invalid(path, what, 'use a file, S3 or memory target, or remove the stage', 'key'));
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

const participles: Record<Exclude<StageKind, 'write' | 'generate'>, string> = {
  read: 'read',
  verify: 'verified',
  delete: 'deleted',
};
