/** From the wire's 64-bit numbers to JavaScript's: refused, never rounded. */
import { SeedstormError } from '@seedstorm/errors';

/**
 * A count from the wire.
 * @throws SeedstormError MESSAGE_INVALID when it is beyond 2^53, which no honest count of one stage reaches.
 */
export function count(value: bigint, what: string): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < 0n) {
    throw new SeedstormError({ code: 'SEEDSTORM_E_MESSAGE_INVALID', what: `${what} is ${value}, which is beyond 2^53` });
  }
  return Number(value);
}
