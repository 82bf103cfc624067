/** What must hold between the rates of stages, the sweep over rates and what the stages do. */
import type { sweepKeys } from './choices.js';
import { invalid, type Problem } from './problems.js';
import type { Plan } from './schema.js';

/** Stages whose operations move no bytes: none of them could keep a rate of bytes. */
const withoutBytes: ReadonlySet<string> = new Set(['stat', 'mkdir', 'rename']);

/** What a rate is looked at with. */
interface Around {
  /** The rates that the plan sweeps over. */
  readonly swept?: NonNullable<Plan['sweep']>['rate'];
  /** Whether the files of a tree have no bytes. */
  readonly hasEmptyFiles?: boolean;
}

/** Checks the rates of all stages. */
export function checkRates(stages: Plan['stages'], around: Around): Problem[] {
  return stages.flatMap((stage, index) =>
    checkRate(['stages', index, stage.kind], `stages[${index}].${stage.kind}`, stage, around),
  );
}

/** Checks the rate of a stage that is called `name` and stands at `path`; if it keeps those of a sweep, each of them. */
export function checkRate(
  path: readonly (string | number)[],
  name: string,
  { kind, rate, arrivals }: Pick<Plan['stages'][number], 'kind' | 'rate' | 'arrivals'>,
  { swept, hasEmptyFiles = false }: Around = {},
): Problem[] {
  const problems: Problem[] = [];
  const rates = rate === 'sweep' ? (swept ?? []) : rate === undefined ? [] : [rate];
  if (rate === 'sweep' && swept === undefined) {
    const what = `${name}.rate: the plan has no sweep over rates`;
    problems.push(invalid([...path, 'rate'], what, 'write sweep: { rate: [5000/s, 10000/s] }, or a rate'));
  }
  const movesNothing = withoutBytes.has(kind) || (kind !== 'generate' && hasEmptyFiles);
  if (movesNothing && rates.some((each) => each.of === 'bytes')) {
    const what = `${name}.rate: its operations have no bytes`;
    problems.push(invalid([...path, 'rate'], what, 'write operations a second, such as 2000/s'));
  }
  if (arrivals !== undefined && rate === undefined) {
    const what = `${name}.arrivals: there is no rate whose operations could arrive`;
    problems.push(invalid([...path, 'arrivals'], what, 'set rate, or leave arrivals out', 'key'));
  }
  return problems;
}

/** Checks the rates that a sweep goes over, for the stages that keep them. */
export function checkSweptRates(
  { sweep, stages }: Pick<Plan, 'sweep' | 'stages'>,
  wrong: (key: (typeof sweepKeys)[number], what: string, mend: string) => void,
): void {
  const rates = sweep?.rate;
  if (rates === undefined) return;
  if (!stages.some(({ rate }) => rate === 'sweep')) {
    wrong('rate', 'no stage keeps these rates', 'write rate: sweep in the stages that are to keep them');
  }
  if (new Set(rates.map(({ of }) => of)).size > 1) {
    wrong('rate', 'operations and bytes a second cannot be compared', 'write all rates in the one or in the other');
  }
}
