/** What must hold between the keys of a block target, and between these and the data. */

import { defaults } from './choices.js';
import { largestBlock, unitsIn } from './geometry.js';
import { invalid, type Problem } from './problems.js';
import type { PlanBlockTarget, SizedData } from './schema.js';
import { formatSize } from './units.js';

/** What does not fit together. */
export function checkBlock(data: SizedData, { io, offset = 0, size, align }: PlanBlockTarget): Problem[] {
  const unitBytes = data.unit ?? defaults.unitBytes;
  const unit = formatSize(unitBytes);
  const dataBytes = unitsIn(data.size, unitBytes) * BigInt(unitBytes);
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
