/** What must hold between the keys of a mixed stage, and between these and the data and the target. */
import { defaults } from './choices.js';
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
  if (data === undefined) return problems;
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
