/** What the schema finds wrong with a plan, in words for the person who wrote it. */
import type { ErrorCode } from '@seedstorm/errors';
import type { z } from 'zod';
import { type Path, pathText } from './document.js';
import { planKey, planKeys, siblings } from './keys.js';
import { kindOf } from './leaf.js';
import { inWords, nearest } from './quote.js';

/** One thing that is wrong with a plan, and where. */
export interface Problem {
  readonly code: ErrorCode;
  readonly path: Path;
  /** Whether it is about the key or about its value. */
  readonly at: 'key' | 'value';
  readonly what: string;
  readonly mend: string;
  /** For an unknown key: the key that was probably meant. */
  readonly meant?: string | undefined;
}

/**
 * The problems without those that are only the other side of an unknown key: with `sise` unknown and `size` probably
 * meant, nobody needs to hear that `size` is missing too.
 */
export function withoutEchoes(problems: readonly Problem[]): Problem[] {
  const unknown = problems.filter((problem) => problem.code === 'SEEDSTORM_E_PLAN_UNKNOWN_KEY');
  return problems.filter(({ code, path }) => {
    if (code === 'SEEDSTORM_E_PLAN_UNKNOWN_KEY') return true;
    return !unknown.some((other) => {
      const around = other.path.slice(0, -1);
      return samePath(path, around) || (other.meant !== undefined && samePath(path, [...around, other.meant]));
    });
  });
}

/** A problem with a value that is there, malformed or unfit. */
export function invalid(path: Path, what: string, mend: string, at: 'key' | 'value' = 'value'): Problem {
  return { code: 'SEEDSTORM_E_PLAN_INVALID', path, at, what, mend };
}

/** The problem with a key that is not there and must be. */
export function missing(path: Path, root: unknown): Problem {
  return invalid(path, `${pathText(path)} is missing`, `add it, such as ${wayToWrite(path, root)}`, 'key');
}

/** The problems that an issue of the schema stands for; `root` is the value that was checked. */
export function problemsOf(issue: z.core.$ZodIssue, root: unknown): Problem[] {
  const path = issue.path as Path;
  const value = valueAt(root, path);
  const name = path.length === 0 ? 'the plan' : pathText(path);
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey([...path, key], root));
  if (path.length === 0 && value === null) {
    return [invalid(path, 'the plan is empty', 'write at least data, target and stages')];
  }
  if (value === undefined) return [missing(path, root)];
  if (value === null)
    return [invalid(path, `${name} has no value`, `give it one, such as ${wayToWrite(path, root)}`, 'key')];
  switch (issue.code) {
    case 'custom': {
      const mend = String(issue.params?.mend);
      // The message about a single value begins with that value; the one about a mapping goes on from its name.
      const inList = typeof path.at(-1) === 'number' && path[0] !== 'stages';
      const single = inList || planKey(path, targetKind(root))?.takes !== undefined;
      return [invalid(path, `${name}${single ? ':' : ''} ${issue.message}`, mend, single ? 'value' : 'key')];
    }
    case 'invalid_union': {
      const near = typeof value === 'string' ? nearest(value, targetKinds) : undefined;
      const mend = near === undefined ? `write ${inWords(targetKinds, 'or')}` : `did you mean ${near}?`;
      return [invalid(path, `${name}: ${kindOf(value)} is not one of ${inWords(targetKinds)}`, mend)];
    }
    case 'too_small':
      return [invalid(path, `${name} is empty`, `write ${wayToWrite(path, root)}`, 'key')];
    case 'too_big':
      return [invalid(path, `${name} has more than ${issue.maximum} items`, `write at most ${issue.maximum}`, 'key')];
    case 'invalid_type': {
      const expected = issue.expected === 'array' ? 'a list' : 'a mapping of keys to values';
      return [invalid(path, `${name} is ${kindOf(value)}, not ${expected}`, `write ${wayToWrite(path, root)}`)];
    }
    default:
      return [invalid(path, `${name}: ${issue.message}`, 'see docs/reference/plan.md for what the key takes')];
  }
}

const targetKinds = planKeys.filter((key) => key.path.join('.') === 'target.kind').map((key) => key.takes ?? '');

function unknownKey(path: Path, root: unknown): Problem {
  const key = String(path.at(-1));
  const parent = path.slice(0, -1);
  const known = siblings(path, targetKind(root)).map((each) => each.path.at(-1) ?? '');
  const inStages = parent.length === 2 && parent[0] === 'stages';
  const what = inStages
    ? `unknown stage ${inQuotes(key)}`
    : `unknown key ${inQuotes(key)} in ${parent.length === 0 ? 'the plan' : pathText(parent)}`;
  const meant = nearest(key, known);
  const mend = meant === undefined ? placeOfKey(key, known, inStages) : `did you mean "${meant}"?`;
  return { code: 'SEEDSTORM_E_PLAN_UNKNOWN_KEY', path, at: 'key', what, mend, meant };
}

/** The mend for a key that resembles none of those that may stand here. */
function placeOfKey(key: string, known: readonly string[], inStages: boolean): string {
  const elsewhere = planKeys.find((each) => each.path.at(-1) === key && each.path.length > 1);
  if (elsewhere !== undefined) return `did you mean ${pathText(elsewhere.path)}?`;
  if (known.length === 1) return `the only key here is ${known[0]}`;
  return `the ${inStages ? 'stages' : 'keys here'} are ${inWords(known)}`;
}

/** How to write what should stand at a path. */
function wayToWrite(path: Path, root: unknown): string {
  if (path.length === 0) return 'keys with values, such as data: and target:';
  if (typeof path.at(-1) === 'number') {
    return path[0] === 'stages' ? 'a stage such as - write: {}' : wayToWrite(path.slice(0, -1), root);
  }
  if (pathText(path) === 'target.kind')
    return `kind: file (or ${inWords(
      targetKinds.filter((kind) => kind !== 'file'),
      'or',
    )})`;
  return planKey(path, targetKind(root))?.doc.example ?? 'a value';
}

function targetKind(root: unknown): unknown {
  return valueAt(root, ['target', 'kind']);
}

function samePath(a: Path, b: Path): boolean {
  return a.length === b.length && a.every((step, index) => step === b[index]);
}

function inQuotes(key: string): string {
  return `"${key.length > 60 ? `${key.slice(0, 60)}…` : key}"`;
}

function valueAt(root: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, step) => {
    if (typeof value !== 'object' || value === null) return undefined;
    return (value as Record<string | number, unknown>)[step];
  }, root);
}
