/** What must hold between a sweep, the repetitions and the rest of a plan. */
import { checkBlock } from './checks-block.js';
import { checkFiles } from './checks-file.js';
import { checkSweptRates } from './checks-rates.js';
import { maxRounds, sweepKeys } from './choices.js';
import { formatCount } from './format.js';
import { geometryOf } from './geometry.js';
import { invalid, type Problem } from './problems.js';
import { isSized, type Plan } from './schema.js';
import { planAtPoint, pointCount, pointsOf, pointText } from './sweep.js';

/** Checks the sweep of a plan whose other sections are valid. `checkDepth` looks at blocks in flight. */
export function checkSweep(plan: Plan, checkDepth: (plan: Plan) => Problem[]): Problem[] {
  const { sweep, repeat = 1, load, target } = plan;
  if (sweep === undefined) return [];
  const problems: Problem[] = [];
  const wrong = (key: string, what: string, mend: string): void => {
    problems.push(invalid(['sweep', key], `sweep.${key}: ${what}`, mend, 'key'));
  };
  if (sweepKeys.every((key) => sweep[key] === undefined)) {
    const mend = 'write a list of values, such as queueDepth: [1, 8, 64]';
    return [invalid(['sweep'], 'sweep names nothing to go over', mend, 'key')];
  }
  for (const key of sweepKeys) {
    const values = (sweep[key] ?? []).map((value) => (typeof value === 'object' ? value.perSecond : value));
    if (new Set(values).size < values.length) wrong(key, 'a value comes twice', 'write each value once');
  }
  for (const key of ['lanesPerAgent', 'queueDepth'] as const) {
    if (sweep[key] !== undefined && load?.[key] !== undefined) {
      wrong(key, `load.${key} says it too`, 'leave one of them out');
    }
  }
  if (sweep.block !== undefined) {
    if (target.kind !== 'file' && target.kind !== 'block') {
      wrong('block', `a ${target.kind} target has no block size`, 'use a file or block target, or leave it out');
    } else if (target.io?.block !== undefined) {
      wrong('block', 'target.io.block says it too', 'leave one of them out');
    }
  }
  for (const key of ['queueDepth', 'block'] as const) {
    if (sweep[key] === undefined || target.kind !== 'file' || target.tree === undefined) continue;
    wrong(key, 'a lane has one call at a time on a tree of files', 'go over lanesPerAgent or agents');
  }
  checkSweptRates(plan, wrong);
  const rounds = pointCount(sweep) * repeat;
  if (rounds > maxRounds) {
    const times = repeat > 1 ? `, ${repeat} times each, are` : ' are';
    const what = `sweep: ${formatCount(pointCount(sweep))} points${times} more than ${maxRounds} rounds`;
    return [...problems, invalid(['sweep'], what, 'leave out some values', 'key')];
  }
  return problems.length > 0 ? problems : checkPoints(plan, checkDepth);
}

/** What would be wrong with the plan of a single point is told once, for the first such point. */
function checkPoints(plan: Plan, checkDepth: (plan: Plan) => Problem[]): Problem[] {
  const points = pointsOf(plan.sweep);
  for (const values of points) {
    const at = planAtPoint(plan, values);
    const { data, target } = at;
    const found = [
      ...(target.kind === 'file' && isSized(data) ? checkFiles(data, target) : []),
      ...(target.kind === 'block' && isSized(data) ? checkBlock(data, target) : []),
      ...checkDepth(at),
    ];
    const [first] = found;
    if (first === undefined) continue;
    return [{ ...first, path: ['sweep'], at: 'key', what: `sweep, at ${pointText(values)}: ${first.what}` }];
  }
  const deletes = plan.stages.at(-1)?.kind === 'delete';
  const layouts = new Set(points.map((values) => JSON.stringify(geometryOf(planAtPoint(plan, values)).layout)));
  if (layouts.size === 1 || deletes) return [];
  const what = 'sweep.block: these blocks cut the data in different ways, so that it cannot stay from point to point';
  return [invalid(['sweep', 'block'], what, 'end the stages with delete, or choose divisors of the unit', 'key')];
}
