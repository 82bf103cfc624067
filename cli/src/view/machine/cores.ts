/**
 * Cores in few words: neighbours that are alike and whose PUs are evenly numbered become one run, `[0-7]+192-199`. It
 * must never know how the machine is drawn around them.
 */

/** What becomes of a PU. */
export type PuState = 'lane' | 'free' | 'reserved' | 'forbidden';

/** The brackets around PUs of each state. */
export const marks: Readonly<Record<PuState, readonly [open: string, close: string]>> = {
  lane: ['[', ']'],
  free: ['', ''],
  reserved: ['(', ')'],
  forbidden: ['{', '}'],
};

/** A core's PUs, in the order of its hardware threads. */
export type CorePus = readonly { readonly pu: number; readonly state: PuState }[];

/** Neighbours that are alike: each thread's first number, and what is added from core to core. */
interface Run {
  readonly first: CorePus;
  step: number;
  count: number;
}

/** The runs of these cores, in their order: `[0-7]+192-199`. */
export function runsOf(cores: readonly CorePus[]): string[] {
  const runs: Run[] = [];
  for (let at = 0; at < cores.length; ) {
    const run = runFrom(cores, at);
    runs.push(run);
    at += run.count;
  }
  return runs.map(textOf);
}

/** The longest run from here. Two cores alone are one only when their numbers follow each other. */
function runFrom(cores: readonly CorePus[], at: number): Run {
  const [first = [], second = []] = cores.slice(at, at + 2);
  const run: Run = { first, step: stepOf(first, second), count: 1 };
  if (run.step === 0) return run;
  while (stepOf(cores[at + run.count - 1] ?? [], cores[at + run.count] ?? []) === run.step) run.count += 1;
  return run.count === 2 && run.step !== 1 ? { ...run, count: 1 } : run;
}

/** What every thread's number grows by from one core to the next; 0 when they are not alike. */
function stepOf(from: CorePus, to: CorePus): number {
  const step = (to[0]?.pu ?? 0) - (from[0]?.pu ?? 0);
  const isAlike = from.every(({ pu, state }, thread) => to[thread]?.state === state && to[thread].pu === pu + step);
  return from.length > 0 && from.length === to.length && step > 0 && isAlike ? step : 0;
}

function textOf({ first, step, count }: Run): string {
  const thread = ({ pu, state }: CorePus[number]): string => {
    const [open, close] = marks[state];
    return `${open}${range(pu, pu + step * (count - 1), step)}${close}`;
  };
  return first.map(thread).join('+');
}

/** `0-7`, `0-14:2`, or `5`. */
function range(first: number, last: number, step: number): string {
  if (first === last) return `${first}`;
  return step === 1 ? `${first}-${last}` : `${first}-${last}:${step}`;
}

/** Numbers as ranges, each a word: `0-3,` and `8`. */
export function rangesOf(numbers: readonly number[]): string[] {
  const ranges: [number, number][] = [];
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last !== undefined && number === last[1] + 1) last[1] = number;
    else ranges.push([number, number]);
  }
  return ranges.map(([first, last], at) => `${range(first, last, 1)}${at === ranges.length - 1 ? '' : ','}`);
}
