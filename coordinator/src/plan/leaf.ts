/**
 * The kinds of single values that a plan holds: each takes the value's source text, and says how the value is
 * written, for messages, for the reference page and for the JSON Schema of editors.
 */
import { isSeedstormError } from '@seedstorm/errors';
import { z } from 'zod';
import { inWords, nearest, quoted } from './quote.js';
import {
  durationHint,
  formatSize,
  integerHint,
  parseDuration,
  parseInteger,
  parsePowerOfTwo,
  parseRate,
  parseRatio,
  parseSeed,
  parseSize,
  type Rate,
  rateHint,
  ratioHint,
  sizeHint,
} from './units.js';

/** How a value of some kind is written. */
export interface LeafDoc {
  /** What it is, with its article: `a size`. */
  readonly noun: string;
  /** How to write it: a clause that fits behind "mend:". */
  readonly hint: string;
  /** What the reference page says that the key takes. */
  readonly takes: string;
}

/** A schema of one value: text in, `T` out. */
export type Leaf<T> = z.ZodPipe<z.ZodUnknown, z.ZodTransform<T, unknown>>;

/** How the values of each leaf are written; keyed by the schema. */
export const leafDocs = z.registry<LeafDoc>();

/** A value that does not suit; thrown by the parsers that are given to `leaf`. */
class Unsuitable extends Error {
  constructor(
    readonly what: string,
    readonly mend: string,
  ) {
    super(what);
  }
}

const sizePattern = '^[0-9]+(\\.[0-9]+)? ?(B|[kK]B|[MGTPE]B|[KMGTPE]iB)?$';
const ratePattern = '^[0-9]+(\\.[0-9]+)? ?(B|[kK]B|[MGTPE]B|[KMGTPE]iB)?/s$';
const rateTakes = 'operations a second such as 20000/s, or a size a second such as 5GB/s';
const durationPattern = '^[0-9]+(\\.[0-9]+)? ?(ms|s|m|h)$';

/** A size from `minimum` to `maximum` bytes that is a multiple of `multiple`; the output is a number of bytes. */
export function size(options: { minimum: number; maximum: number; multiple?: number }): Leaf<number> {
  const { minimum, maximum, multiple = 1 } = options;
  const grain = multiple === 1 ? '' : `, a multiple of ${formatSize(multiple)}`;
  const takes = `size, ${formatSize(minimum)} to ${formatSize(maximum)}${grain}`;
  return leaf({ noun: 'a size', hint: sizeHint, takes }, sizeJson, (text) => {
    const bytes = parseSize(text);
    if (bytes < BigInt(minimum) || bytes > BigInt(maximum)) {
      throw new Unsuitable(
        `${quoted(text)} is out of range`,
        `write a size from ${formatSize(minimum)} to ${formatSize(maximum)}`,
      );
    }
    if (bytes % BigInt(multiple) !== 0n) {
      const below = bytes - (bytes % BigInt(multiple));
      const near = [below, below + BigInt(multiple)].filter((each) => each >= minimum && each <= maximum);
      throw new Unsuitable(
        `${quoted(text)} is not a multiple of ${formatSize(multiple)}`,
        `write ${near.map(formatSize).join(' or ')}`,
      );
    }
    return Number(bytes);
  });
}

/** A size of any amount above nothing; the output is a bigint of bytes, since data may pass 2^53. */
export function largeSize(): Leaf<bigint> {
  return leaf({ noun: 'a size', hint: sizeHint, takes: 'size, more than 0, at most 4EiB' }, sizeJson, (text) => {
    const bytes = parseSize(text);
    if (bytes === 0n) throw new Unsuitable(`${quoted(text)} is nothing`, sizeHint);
    return bytes;
  });
}

/** One of a few sizes; the output is a number of bytes. */
export function sizeChoice<const T extends number>(choices: readonly T[]): Leaf<T> {
  const names = choices.map(formatSize);
  const hint = `write ${inWords(names, 'or')}`;
  return leaf({ noun: 'a size', hint, takes: `${inWords(names, 'or')}` }, sizeJson, (text) => {
    const bytes = parseSize(text);
    const choice = choices.find((each) => BigInt(each) === bytes);
    if (choice === undefined) throw new Unsuitable(`${quoted(text)} is not one of ${inWords(names)}`, hint);
    return choice;
  });
}

/** A duration from `minimum` to `maximum` milliseconds; the output is a number of milliseconds. */
export function duration(options: { minimum: string; maximum: string }): Leaf<number> {
  const least = parseDuration(options.minimum);
  const most = parseDuration(options.maximum);
  const takes = `duration, ${options.minimum} to ${options.maximum}`;
  const json = { type: 'string', pattern: durationPattern };
  return leaf({ noun: 'a duration', hint: durationHint, takes }, json, (text) => {
    const milliseconds = parseDuration(text);
    if (milliseconds < least || milliseconds > most) {
      throw new Unsuitable(
        `${quoted(text)} is out of range`,
        `write a duration from ${options.minimum} to ${options.maximum}`,
      );
    }
    return milliseconds;
  });
}

/** A ratio from 1 to `maximum`; the output is the ratio × 1000. */
export function ratio(options: { maximum: number }): Leaf<number> {
  const { maximum } = options;
  const takes = `ratio, 1 to ${maximum}, at most three decimals`;
  const json = {
    anyOf: [
      { type: 'number', minimum: 1, maximum },
      { type: 'string', pattern: '^[0-9]+(\\.[0-9]{1,3})?$' },
    ],
  };
  return leaf({ noun: 'a ratio', hint: ratioHint, takes }, json, (text) => {
    const milli = parseRatio(text);
    if (milli < 1000) {
      throw new Unsuitable(`${quoted(text)} is less than 1`, 'write 1 for none, or a ratio above it such as 1.5');
    }
    if (milli > maximum * 1000) throw new Unsuitable(`${quoted(text)} is too high a ratio`, `write at most ${maximum}`);
    return milli;
  });
}

/** A number from `minimum` to `maximum` with at most three decimals; the output is the number × 1000. */
export function decimal(options: { minimum: number; maximum: number }): Leaf<number> {
  const { minimum, maximum } = options;
  const hint = `write a number from ${minimum} to ${maximum} such as 0.5`;
  const takes = `number, ${minimum} to ${maximum}, at most three decimals`;
  const json = {
    anyOf: [
      { type: 'number', minimum, maximum },
      { type: 'string', pattern: '^[0-9]+(\\.[0-9]{1,3})?$' },
    ],
  };
  return leaf({ noun: 'a number', hint, takes }, json, (text) => {
    if (!/^\d{1,12}(?:\.\d{1,3})?$/u.test(text)) throw new Unsuitable(`${quoted(text)} is not such a number`, hint);
    const milli = Math.round(Number(text) * 1000);
    if (milli < minimum * 1000 || milli > maximum * 1000) throw new Unsuitable(`${quoted(text)} is out of range`, hint);
    return milli;
  });
}

/** Operations or bytes a second. */
export function rate(): Leaf<Rate> {
  const json = { type: 'string', pattern: ratePattern };
  return leaf({ noun: 'a rate', hint: rateHint, takes: rateTakes }, json, parseRate);
}

/** The same, or `sweep`: the rate of each point of the plan's sweep. */
export function rateOrSwept(): Leaf<Rate | 'sweep'> {
  const takes = `${rateTakes}, or sweep`;
  const json = { type: 'string', pattern: `^sweep$|${ratePattern}` };
  return leaf({ noun: 'a rate', hint: rateHint, takes }, json, (text) => (text === 'sweep' ? text : parseRate(text)));
}

/** A percentage above 0 and up to `maximum`, with at most two decimals; the output is the part of 1. */
export function percent(options: { maximum: number }): Leaf<number> {
  const { maximum } = options;
  const hint = `write a percentage above 0 and up to ${maximum}%, such as 2%`;
  const json = { type: 'string', pattern: '^[0-9]+(\\.[0-9]{1,2})? ?%$' };
  return leaf({ noun: 'a percentage', hint, takes: `percentage, above 0%, at most ${maximum}%` }, json, (text) => {
    const [, number] = /^(\d{1,6}(?:\.\d{1,2})?) ?%$/u.exec(text) ?? [];
    if (number === undefined) throw new Unsuitable(`${quoted(text)} is not a percentage`, hint);
    const hundredths = Math.round(Number(number) * 100);
    if (hundredths === 0 || hundredths > maximum * 100) throw new Unsuitable(`${quoted(text)} is out of range`, hint);
    return hundredths / 10_000;
  });
}

/** A whole number from `minimum` to `maximum`. */
export function integer(options: { minimum: number; maximum: number }): Leaf<number> {
  const { minimum, maximum } = options;
  const takes = `whole number, ${minimum} to ${maximum}`;
  return leaf({ noun: 'a whole number', hint: integerHint, takes }, integerJson(options), (text) => {
    const value = parseInteger(text);
    if (value < BigInt(minimum) || value > BigInt(maximum)) {
      throw new Unsuitable(`${quoted(text)} is out of range`, `write a whole number from ${minimum} to ${maximum}`);
    }
    return Number(value);
  });
}

/** A power of two up to 2^maxBits; the output is its exponent. */
export function powerOfTwo(options: { maxBits: number }): Leaf<number> {
  const { maxBits } = options;
  const takes = `power of two, 1 to ${2 ** maxBits}`;
  const json = integerJson({ minimum: 1, maximum: 2 ** maxBits });
  return leaf({ noun: 'a power of two', hint: 'write a power of two such as 4096', takes }, json, (text) =>
    parsePowerOfTwo(text, maxBits),
  );
}

/** A whole number below 2^64. */
export function seed(): Leaf<bigint> {
  const takes = 'whole number, 0 to 18446744073709551615';
  const json = {
    anyOf: [
      { type: 'integer', minimum: 0 },
      { type: 'string', pattern: '^[0-9]+$' },
    ],
  };
  return leaf({ noun: 'a seed', hint: integerHint, takes }, json, parseSeed);
}

/** One of a few words. */
export function choice<const T extends string>(choices: readonly T[]): Leaf<T> {
  return words(choices, { enum: [...choices] }, (word) => word);
}

/** One of a few words, or a boolean. */
export function choiceOrBoolean<const T extends string>(choices: readonly T[]): Leaf<T | boolean> {
  return words(['true', 'false', ...choices] as const, { enum: [true, false, ...choices] }, (word) =>
    word === 'true' || word === 'false' ? word === 'true' : (word as T),
  );
}

/** Text that passes `fault`, which says what is wrong with it, if anything. */
export function text(options: {
  takes: string;
  hint: string;
  pattern?: string;
  fault: (value: string) => string | undefined;
}): Leaf<string> {
  const { takes, hint, pattern, fault } = options;
  // A name such as 2024 is a number to YAML; its source text is what counts.
  const json = { type: ['string', 'number'], ...(pattern === undefined ? {} : { pattern }) };
  return leaf({ noun: 'a text', hint, takes }, json, (value) => {
    const what = fault(value);
    if (what !== undefined) throw new Unsuitable(`${quoted(value)} ${what}`, hint);
    return value;
  });
}

const sizeJson = {
  anyOf: [
    { type: 'integer', minimum: 0 },
    { type: 'string', pattern: sizePattern },
  ],
};

function integerJson(range: { minimum: number; maximum: number }): object {
  return {
    anyOf: [
      { type: 'integer', ...range },
      { type: 'string', pattern: '^[0-9]+$' },
    ],
  };
}

function words<const W extends string, T>(choices: readonly W[], json: object, output: (word: W) => T): Leaf<T> {
  const hint = `write ${inWords(choices, 'or')}`;
  return leaf({ noun: 'one of its words', hint, takes: inWords(choices, 'or') }, json, (value) => {
    const word = choices.find((each) => each === value);
    if (word !== undefined) return output(word);
    const near = nearest(value, choices);
    throw new Unsuitable(
      `${quoted(value)} is not one of ${inWords(choices)}`,
      near === undefined ? hint : `did you mean ${near}?`,
    );
  });
}

function leaf<T>(doc: LeafDoc, json: object, parse: (text: string) => T): Leaf<T> {
  const schema = z
    .unknown()
    .meta({ ...json })
    .transform((input, context): T => {
      const fail = (message: string, mend: string): never => {
        context.issues.push({ code: 'custom', message, input, params: { mend } });
        return z.NEVER;
      };
      if (typeof input !== 'string') return fail(`${kindOf(input)} is not ${doc.noun}`, doc.hint);
      try {
        return parse(input);
      } catch (error) {
        if (error instanceof Unsuitable || isSeedstormError(error)) return fail(error.what, error.mend);
        throw error;
      }
    });
  return schema.register(leafDocs, doc);
}

/** What a value that is no text is, in words. */
export function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'a mapping';
  return typeof value === 'string' ? quoted(value) : 'nothing';
}
