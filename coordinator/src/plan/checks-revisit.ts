/**
 * What must hold in a plan about the data of an earlier run: that it is about one run, and says nothing of what that run's
 * record says.
 */
import { checkNetwork, type Sections } from './checks.js';
import { checkRate } from './checks-rates.js';
import { checkTime } from './checks-time.js';
import { invalid, type Problem } from './problems.js';
import type { Plan } from './schema.js';

/** Keys that the record has the answer to, and keys that would change what the data is. */
const ofTheRecord = ['seed', 'namespace', 'data', 'target', 'sweep'] as const;

/** What stages may do with the data of an earlier run. */
const revisitingKinds = ['verify', 'read', 'delete'] as const;

/** Whether a stage does what may be done with the data of an earlier run. */
export function isRevisiting(kind: string): kind is (typeof revisitingKinds)[number] {
  return revisitingKinds.some((each) => each === kind);
}

/** Whether a stage of a plan, as it was typed, names an earlier run. */
export function isRevisit(plan: unknown): boolean {
  const stages = member(plan, 'stages');
  if (!Array.isArray(stages)) return false;
  return stages.some((stage) => revisitingKinds.some((kind) => member(member(stage, kind), 'run') !== undefined));
}

/** What does not fit together in such a plan; `typed` is the plan as it was typed. */
export function checkRevisit(sections: Sections, typed: unknown): Problem[] {
  const { stages, repeat = 1 } = sections;
  const problems = ofTheRecord
    .filter((name) => member(typed, name) !== undefined)
    .map((name) => {
      const why = name === 'sweep' ? 'the data of an earlier run lies as it lies' : "the earlier run's record says it";
      return invalid([name], `${name}: ${why}`, 'leave it out', 'key');
    });
  if (stages === undefined) return problems;
  const first = stages.find(({ run }) => run !== undefined)?.run;
  const deletion = stages.findIndex(({ kind }) => kind === 'delete');
  for (const [index, stage] of stages.entries()) {
    problems.push(...checkStage(stage, index, first));
    if (deletion >= 0 && index > deletion && stage.kind !== 'network') {
      const what = `stages[${index}].${stage.kind}: stages[${deletion}] deleted the data`;
      problems.push(invalid(['stages', index, stage.kind], what, 'put it before the delete stage', 'key'));
    }
  }
  if (deletion >= 0 && repeat > 1) {
    problems.push(
      invalid(['repeat'], 'repeat: the delete stage leaves nothing to repeat it with', 'leave one of them out'),
    );
  }
  return problems;
}

function checkStage(stage: Plan['stages'][number], index: number, first: string | undefined): Problem[] {
  const { kind, run } = stage;
  const path = ['stages', index, kind];
  const name = `stages[${index}].${kind}`;
  if (kind === 'network') return checkNetwork(path, name, stage.network);
  if (!isRevisiting(kind)) {
    const what = `${name}: other stages are about the data of run ${first}, which is read, verified and deleted only`;
    return [invalid(path, what, 'put it into a plan of its own', 'key')];
  }
  if (run === undefined) {
    const what = `${name}: says no run, and other stages are about the data of run ${first}`;
    return [invalid(path, what, `write ${kind}: { run: ${first} }`, 'key')];
  }
  if (run !== first) {
    const what = `${name}.run: other stages are about the data of run ${first}`;
    return [invalid([...path, 'run'], what, 'make a plan for each of the runs')];
  }
  const time = stage.time === undefined ? [] : checkTime(path, name, stage.time);
  return [...time, ...checkRate(path, name, stage)];
}

function member(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as Record<string, unknown>)[key];
}
