/** The wire's 64-bit numbers: to JavaScript's, refused and never rounded; and what Math has not for them. */
import { SeedstormError } from '@seedstorm/errors';

/**
 * A count from the wire.
 * @throws SeedstormError MESSAGE_INVALID when it is beyond 2^53, which no honest count of one stage reaches.
 */
export function count(value: bigint, what: string): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < 0n) {
    throw new SeedstormError({
      code: 'SEEDSTORM_E_MESSAGE_INVALID',
      what: `${what} is ${value}, which is beyond 2^53`,
    });
  }
  return Number(value);
}

/** The greatest of these. */
export function latest(first: bigint, ...more: bigint[]): bigint {
  let greatest = first;
  for (const value of more) if (value > greatest) greatest = value;
  return greatest;
}

/** The least of these. */
export function earliest(first: bigint, ...more: bigint[]): bigint {
  let least = first;
  for (const value of more) if (value < least) least = value;
  return least;
}

/** From the first to the last of some instants, in ns; 0 of none. */
export function between(instantsNs: readonly bigint[]): bigint {
  const last = latest(0n, ...instantsNs);
  return last - earliest(last, ...instantsNs);
}
