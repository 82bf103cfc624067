/** From the text of a plan file to a plan, or to everything that is wrong with it, each with line and column. */
import { isSeedstormError, SeedstormError } from '@seedstorm/errors';
import { checkSections, type Sections } from './checks.js';
import { checkRevisit, isRevisit } from './checks-revisit.js';
import { readDocument } from './document.js';
import { missing, type Problem, problemsOf, withoutEchoes } from './problems.js';
import { type Plan, planSchema, type RevisitPlan } from './schema.js';

/**
 * The most bytes of UTF-8 that a plan may have. The YAML parser needs about a second for this much of its worst
 * (nothing but brackets), and it runs on the coordinator's event loop; a plan is a page or two.
 */
export const maxPlanBytes = 128 * 1024;
/** The most problems that are told at once. */
export const maxProblems = 20;

/**
 * The plan that a text holds, where it makes its data. `fileName` is only shown in messages.
 * @throws SeedstormError as {@link parseAnyPlan}, and PLAN_INVALID when the plan is about an earlier run
 */
export function parsePlan(text: string, fileName: string): Plan {
  const plan = parseAnyPlan(text, fileName);
  if (!('revisits' in plan)) return plan;
  const what = `${fileName} is about the data of run ${plan.revisits}`;
  throw new SeedstormError({ code: 'SEEDSTORM_E_PLAN_INVALID', what, mend: 'give a plan that makes its data' });
}

/**
 * The plan that a text holds, which makes its data or is about the data of an earlier run.
 * @throws SeedstormError PLAN_SYNTAX, PLAN_UNKNOWN_KEY or PLAN_INVALID: the first problem in the order of the text,
 *   with the others, up to 20 in all, as its `details`
 */
export function parseAnyPlan(text: string, fileName: string): Plan | RevisitPlan {
  if (Buffer.byteLength(text) > maxPlanBytes) {
    throw new SeedstormError({
      code: 'SEEDSTORM_E_PLAN_UNREADABLE',
      what: `${fileName} is longer than 128KiB`,
      mend: 'give the file of a plan, which is a page or two of YAML',
    });
  }
  const document = readDocument(text, fileName);
  if (document.problems.length > 0) throw together(document.problems);

  const result = planSchema.safeParse(document.value);
  const sections = result.success ? result.data : validSections(document.value);
  const revisits = isRevisit(document.value);
  const problems = withoutEchoes([
    ...(result.success ? [] : result.error.issues.flatMap((issue) => problemsOf(issue, document.value))),
    ...(revisits ? checkRevisit(sections, document.value) : [...absent(document.value), ...checkSections(sections)]),
  ]);
  if (result.success && problems.length === 0) {
    const { data, target, ...others } = result.data;
    if (data !== undefined && target !== undefined) return { ...others, data, target };
    const earlier = others.stages.find(({ run }) => run !== undefined)?.run;
    if (earlier !== undefined) return { ...others, revisits: earlier };
  }
  throw together(problems.map((problem) => located(problem, document.place(problem.path, problem.at))));
}

/** What a plan lacks that makes its data. */
function absent(plan: unknown): Problem[] {
  if (typeof plan !== 'object' || plan === null || Array.isArray(plan)) return [];
  return ['data', 'target'].filter((name) => !Object.hasOwn(plan, name)).map((name) => missing([name], plan));
}

function validSections(value: unknown): Sections {
  if (typeof value !== 'object' || value === null) return {};
  const sections = Object.entries(planSchema.shape).map(([name, schema]) => {
    const result = schema.safeParse((value as Record<string, unknown>)[name]);
    return [name, result.success ? result.data : undefined];
  });
  return Object.fromEntries(sections) as Sections;
}

function located(problem: Problem, where: SeedstormError['where']): SeedstormError {
  return new SeedstormError({ code: problem.code, what: problem.what, mend: problem.mend, where });
}

function together(problems: readonly SeedstormError[]): SeedstormError {
  const inOrder = [...problems].sort(byPlace);
  const [first, ...others] = inOrder.slice(0, maxProblems);
  if (!isSeedstormError(first)) throw new TypeError('a plan without a problem has no error');
  const hidden = inOrder.length - maxProblems;
  if (hidden > 0) {
    const what = `${hidden} more ${hidden === 1 ? 'problem is' : 'problems are'} not shown`;
    const where = inOrder[maxProblems]?.where;
    others.push(new SeedstormError({ code: 'SEEDSTORM_E_PLAN_INVALID', what, mend: 'mend those above first', where }));
  }
  return new SeedstormError({
    code: first.code,
    what: first.what,
    mend: first.mend,
    where: first.where,
    details: others,
  });
}

function byPlace(a: SeedstormError, b: SeedstormError): number {
  const lines = (a.where?.line ?? 0) - (b.where?.line ?? 0);
  return lines !== 0 ? lines : (a.where?.column ?? 0) - (b.where?.column ?? 0);
}
