/** What must hold between the keys of a mixed stage, and between these and the data and the target. */
import { defaults } from './choices.js';
import { geometryOf } from './geometry.js';
import { invalid, type Problem } from './problems.js';
import type { Plan } from './schema.js';
import type { MixedKeys } from './schema-mixed.js';
import { formatSize } from './units.js';

/** The most memory of the blocks that one lane has in flight: what Linux registers in one piece. */
const maxLaneBytes = 1024 ** 3;

/** What does not fit together in stage `index`. */
export function checkMixed(
  index: number,
  mixed: MixedKeys,
  { data, target, load }: { data?: Plan['data'] | undefined; target: Plan['target']; load?: Plan['load'] | undefined },
): Problem[] {
  const problems: Problem[] = [];
  const name = `stages[${index}].mixed`;
  const refuse = (path: readonly string[], what: string, mend: string, at: 'key' | 'value' = 'value'): void => {
    problems.push(invalid(['stages', index, 'mixed', ...path], `${[name, ...path].join('.')}: ${what}`, mend, at));
  };
  if (target.kind === 's3') {
    const what = 'an object of S3 is written as a whole: no part of it can be overwritten';
    refuse([], what, 'use a file, block or memory target, or remove the stage', 'key');
    return problems;
  }
  if (target.kind === 'file' && target.tree !== undefined) {
    refuse([], 'files of a tree are not overwritten in parts', 'use files without a tree, or remove the stage', 'key');
    return problems;
  }
  const { block = defaults.mixedBlockBytes, order = defaults.mixedOrder, stride, theta, read, write } = mixed;
  if ((read !== undefined || write !== undefined) && (read ?? 0) + (write ?? 0) === 0) {
    refuse([read === undefined ? 'write' : 'read'], 'no operation has a weight', 'give read or write a weight above 0');
  }
  if (stride !== undefined && order !== 'strided') {
    refuse(['stride'], `an order that is ${order} has no stride`, 'set order to strided, or leave stride out');
  } else if (stride !== undefined && stride % block !== 0) {
    const what = `${formatSize(stride)} is no whole number of blocks of ${formatSize(block)}`;
    refuse(['stride'], what, `write ${formatSize(Math.ceil(stride / block) * block)}`);
  }
  if (theta !== undefined && order !== 'zipfian') {
    refuse(['theta'], `an order that is ${order} has no theta`, 'set order to zipfian, or leave theta out');
  }
  const depth = load?.queueDepth ?? defaults.queueDepth;
  if (block * depth > maxLaneBytes) {
    const what = `${depth} blocks of ${formatSize(block)} are more than 1 GiB for each lane`;
    refuse(['block'], what, 'choose a smaller block or load.queueDepth');
  }
  if (data?.size === undefined) return problems;
  const unit = data.unit ?? defaults.unitBytes;
  if (unit % block !== 0 && block % unit !== 0) {
    const what = `${formatSize(block)} neither divides the unit of ${formatSize(unit)} nor is a multiple of it`;
    refuse(['block'], what, 'choose another part or multiple of the unit');
  }
  const unitsBytes = ((data.size + BigInt(unit) - 1n) / BigInt(unit)) * BigInt(unit);
  if (BigInt(block) > unitsBytes) {
    refuse(['block'], `${formatSize(block)} is more than all of the data`, 'choose a smaller block');
  }
  return problems;
}

/** The most shards of a run: what the coordinator keeps of each is a few numbers for each mixed stage. */
const maxShards = 2 ** 22;
/** The most numbers that a lease's message tells of its shards: it must fit a message. */
const maxTold = 200_000;

/** Whether what is known of shards fits memory and messages. The plan's sections are valid, by themselves and together. */
export function checkShards(plan: Plan): Problem[] {
  const stage = plan.stages.findIndex(({ mixed }) => mixed !== undefined);
  if (stage < 0) return [];
  const { layout, shardUnits = 1, leaseUnits } = geometryOf(plan);
  const path = ['stages', stage, 'mixed'];
  const refuse = (what: string, mend: string): Problem[] => [
    invalid(path, `stages[${stage}].mixed: ${what}`, mend, 'key'),
  ];
  const shards = Math.ceil(layout.units / layout.unitsPerObject) * Math.ceil(layout.unitsPerObject / shardUnits);
  if (shards > maxShards) return refuse(`the data has ${shards} shards, more than ${maxShards}`, 'lower data.size');
  const layers = plan.stages.filter(({ mixed }) => mixed !== undefined).length;
  const ofLease = Math.ceil(leaseUnits / shardUnits) + Math.ceil(leaseUnits / layout.unitsPerObject);
  if (ofLease * (2 * layers + 4) <= maxTold) return [];
  const mend = 'cut the data into more files, or have fewer mixed stages';
  return refuse(`a lease has ${ofLease} shards, of too many mixed stages`, mend);
}
