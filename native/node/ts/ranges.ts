/** Checks of numbers that a library's caller gives: what is out of range is told before any byte is made. */
import { SeedstormRangeError } from '@seedstorm/errors';

/** 2^64 − 1, the largest seed. */
const maxSeed = 2n ** 64n - 1n;

/** Bytes in the longest stream. */
export const maxStreamBytes = 2n ** 63n;

/**
 * A whole number of `name`, given as a BigInt or as a number that holds it exactly.
 * @throws SeedstormRangeError with the valid range.
 */
export function wholeBetween(name: string, given: bigint | number, least: bigint, most: bigint): bigint {
  const isWhole = typeof given === 'bigint' || Number.isSafeInteger(given);
  if (isWhole && given >= least && given <= most) return BigInt(given);
  throw new SeedstormRangeError({
    what: `${name} is ${String(given)}`,
    mend: `give ${name} as a whole number from ${least} to ${most}; as a BigInt above 2^53`,
  });
}

/** As {@link wholeBetween}, for counts that are numbers throughout. */
export function countBetween(name: string, given: number, least: number, most: number): number {
  return Number(wholeBetween(name, given, BigInt(least), BigInt(most)));
}

/** A seed: 64 bits without a sign. */
export function seedOf(given: bigint | number): bigint {
  return wholeBetween('seed', given, 0n, maxSeed);
}
