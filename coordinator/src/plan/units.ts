/**
 * Amounts as people write them (`4GiB`, `500ms`, `2.3`) to exact integers, and exactly back. Everything goes by
 * the text and by integers: no value ever passes through floating point.
 */
import { SeedstormError } from '@seedstorm/errors';
import { quoted } from './quote.js';

/** The largest amount of data, in bytes: 4 EiB, so that no offset comes near 2^63. */
export const maxSizeBytes = 2n ** 62n;

const decimalSizes: ReadonlyArray<readonly [string, bigint]> = ['kB', 'MB', 'GB', 'TB', 'PB', 'EB'].map(
  (name, index) => [name, 1000n ** BigInt(index + 1)] as const,
);
const binarySizes: ReadonlyArray<readonly [string, bigint]> = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'].map(
  (name, index) => [name, 1024n ** BigInt(index + 1)] as const,
);
const sizes: ReadonlyMap<string, bigint> = new Map([
  ['', 1n],
  ['B', 1n],
  ['KB', 1000n],
  ...decimalSizes,
  ...binarySizes,
]);
const durations: ReadonlyMap<string, bigint> = new Map([
  ['ms', 1n],
  ['s', 1000n],
  ['m', 60_000n],
  ['h', 3_600_000n],
]);

/** How a size is written, for messages. */
export const sizeHint = 'write a number and a unit such as 4GiB or 10TB';
/** How a duration is written, for messages. */
export const durationHint = 'write a number and a unit such as 500ms, 10s, 5m or 2h';
/** How a ratio is written, for messages. */
export const ratioHint = 'write a number with at most three decimals, such as 1.5';
/** How a rate is written, for messages. */
export const rateHint = 'write operations a second such as 20000/s, or a size a second such as 5GB/s';
/** How a whole number is written, for messages. */
export const integerHint = 'write a whole number in digits, such as 64';

/**
 * Bytes of a size such as `4GiB`, `10TB`, `1.5 GiB` or `4096`. GB is 10⁹ bytes, GiB 2³⁰; a fraction must come to a
 * whole number of bytes.
 * @throws SeedstormError INVALID_ARGUMENT
 */
export function parseSize(text: string): bigint {
  const amount = splitAmount(text);
  const factor = amount === undefined ? undefined : sizes.get(amount.suffix);
  if (amount === undefined || factor === undefined) {
    throw invalid(`${quoted(text)} is not a size`, amount === undefined ? sizeHint : likelySize(amount));
  }
  const bytes = scaled(amount, factor);
  if (bytes === undefined) throw invalid(`${quoted(text)} is not a whole number of bytes`, sizeHint);
  if (bytes > maxSizeBytes) throw invalid(`${quoted(text)} is too large a size`, 'write at most 4EiB');
  return bytes;
}

/** The shortest text that `parseSize` takes back to exactly these bytes, such as `4GiB`, `10TB` or `4097`. */
export function formatSize(bytes: bigint | number): string {
  return shortest(BigInt(bytes), [...binarySizes, ...decimalSizes], '');
}

/**
 * Milliseconds of a duration such as `500ms`, `10s`, `1.5m` or `2h`.
 * @throws SeedstormError INVALID_ARGUMENT
 */
export function parseDuration(text: string): number {
  const amount = splitAmount(text);
  const factor = amount === undefined ? undefined : durations.get(amount.suffix);
  if (amount === undefined || factor === undefined) throw invalid(`${quoted(text)} is not a duration`, durationHint);
  const milliseconds = scaled(amount, factor);
  if (milliseconds === undefined) throw invalid(`${quoted(text)} is finer than a millisecond`, durationHint);
  if (milliseconds > BigInt(Number.MAX_SAFE_INTEGER)) throw invalid(`${quoted(text)} is too long`, durationHint);
  return Number(milliseconds);
}

/** The shortest text that `parseDuration` takes back to exactly these milliseconds, such as `10s` or `1500ms`. */
export function formatDuration(milliseconds: number): string {
  return milliseconds === 0 ? '0s' : shortest(BigInt(milliseconds), [...durations], 'ms');
}

/**
 * A ratio × 1000, of text with at most three decimals: `2.3` and `2.300` are 2300.
 * @throws SeedstormError INVALID_ARGUMENT
 */
export function parseRatio(text: string): number {
  const amount = splitAmount(text);
  if (amount === undefined || amount.suffix !== '' || amount.whole.length > 12) {
    throw invalid(`${quoted(text)} is not a ratio`, ratioHint);
  }
  if (amount.fraction.length > 3) throw invalid(`${quoted(text)} has more than three decimals`, ratioHint);
  return Number(amount.whole + amount.fraction.padEnd(3, '0'));
}

/** The shortest text that `parseRatio` takes back to exactly this ratio × 1000. */
export function formatRatio(milli: number): string {
  const fraction = String(milli % 1000)
    .padStart(3, '0')
    .replace(/0+$/u, '');
  return `${Math.floor(milli / 1000)}${fraction === '' ? '' : `.${fraction}`}`;
}

/** What is to be done a second. */
export interface Rate {
  readonly of: 'operations' | 'bytes';
  /** A whole number, at least 1. */
  readonly perSecond: number;
}

/**
 * A rate: operations such as `20000/s`, or bytes such as `5GB/s` or `1.5 GiB/s`.
 * @throws SeedstormError INVALID_ARGUMENT
 */
export function parseRate(text: string): Rate {
  const amount = text.endsWith('/s') ? text.slice(0, -2).trimEnd() : '';
  const isCount = /^\d{1,40}$/u.test(amount);
  if (amount === '' || (!isCount && splitAmount(amount)?.suffix === '')) {
    throw invalid(`${quoted(text)} is not a rate`, rateHint);
  }
  const perSecond = parseSize(amount);
  if (perSecond === 0n) throw invalid(`${quoted(text)} is nothing`, rateHint);
  if (perSecond > BigInt(Number.MAX_SAFE_INTEGER)) throw invalid(`${quoted(text)} is too high a rate`, rateHint);
  return { of: isCount ? 'operations' : 'bytes', perSecond: Number(perSecond) };
}

/**
 * A whole number of decimal digits.
 * @throws SeedstormError INVALID_ARGUMENT
 */
export function parseInteger(text: string): bigint {
  if (!/^\d{1,40}$/u.test(text)) throw invalid(`${quoted(text)} is not a whole number`, integerHint);
  return BigInt(text);
}

/**
 * A seed: a whole number below 2^64.
 * @throws SeedstormError INVALID_ARGUMENT
 */
export function parseSeed(text: string): bigint {
  const seed = parseInteger(text);
  if (seed >= 2n ** 64n) {
    throw invalid(`${quoted(text)} does not fit in 64 bits`, 'write a whole number of at most 18446744073709551615');
  }
  return seed;
}

/**
 * The exponent of a power of two up to 2^maxBits: `4096` is 12.
 * @throws SeedstormError INVALID_ARGUMENT
 */
export function parsePowerOfTwo(text: string, maxBits: number): number {
  const value = parseInteger(text);
  const bits = value.toString(2).length - 1;
  if (value > 2n ** BigInt(maxBits)) {
    throw invalid(`${quoted(text)} is too large`, `write a power of two of at most ${2n ** BigInt(maxBits)}`);
  }
  if (value !== 2n ** BigInt(bits)) {
    const mend = value === 0n ? 'write 1 or more' : `write ${2n ** BigInt(bits)} or ${2n ** BigInt(bits + 1)}`;
    throw invalid(`${quoted(text)} is not a power of two`, mend);
  }
  return bits;
}

interface Amount {
  /** Digits before the point. */
  readonly whole: string;
  /** Digits after the point, possibly none. */
  readonly fraction: string;
  readonly suffix: string;
}

// Digits are limited so that a plan cannot ask for arithmetic on numbers of a million digits.
function splitAmount(text: string): Amount | undefined {
  const match = /^(\d{1,40})(?:\.(\d{1,40}))? ?([A-Za-z]*)$/u.exec(text);
  return match === null ? undefined : { whole: match[1] ?? '', fraction: match[2] ?? '', suffix: match[3] ?? '' };
}

function scaled(amount: Amount, factor: bigint): bigint | undefined {
  const divisor = 10n ** BigInt(amount.fraction.length);
  const product = BigInt(amount.whole + amount.fraction) * factor;
  return product % divisor === 0n ? product / divisor : undefined;
}

/** The text with the fewest digits; the first of those that are alike. */
function shortest(value: bigint, units: ReadonlyArray<readonly [string, bigint]>, plainUnit: string): string {
  let [digits, unit] = [String(value), plainUnit];
  for (const [name, factor] of units) {
    const quotient = value !== 0n && value % factor === 0n ? String(value / factor) : undefined;
    if (quotient !== undefined && quotient.length < digits.length) [digits, unit] = [quotient, name];
  }
  return digits + unit;
}

function likelySize(amount: Amount): string {
  const number = amount.fraction === '' ? amount.whole : `${amount.whole}.${amount.fraction}`;
  const suffix = amount.suffix.toLowerCase();
  const names = [...sizes.keys()].filter((name) => name !== 'KB' && name !== '');
  const sameLetters = names.filter((name) => name.toLowerCase() === suffix);
  const sameStart = suffix.length === 1 ? names.filter((name) => name[0]?.toLowerCase() === suffix).reverse() : [];
  const likely = sameLetters.length > 0 ? sameLetters : sameStart;
  return likely.length === 0 ? sizeHint : `did you mean ${likely.map((name) => number + name).join(' or ')}?`;
}

function invalid(what: string, mend: string): SeedstormError {
  return new SeedstormError({ code: 'SEEDSTORM_E_INVALID_ARGUMENT', what, mend });
}
