/** What must hold between the keys of an S3 target, and between these and the data. */

import { defaults, maxObjects } from './choices.js';
import { s3Geometry, unitsIn } from './geometry.js';
import { invalid, type Problem } from './problems.js';
import type { PlanS3Target, SizedData } from './schema.js';
import { hasSecret } from './schema-s3.js';
import { formatSize } from './units.js';

/** The most parts that S3 lets an upload have. */
const maxParts = 10_000;

/** What does not fit together. */
export function checkS3(data: SizedData, target: PlanS3Target): Problem[] {
  const unitBytes = data.unit ?? defaults.unitBytes;
  const unit = formatSize(unitBytes);
  const units = unitsIn(data.size, unitBytes);
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
