/** Turns what the addon throws into a SeedstormError: the addon puts code, what and mend as JSON into the message. */
import { asSeedstormError, type PlainError, SeedstormError, SeedstormRangeError } from '@seedstorm/errors';

/** What Node-API says of an argument of another type than binding.d.ts asks for. */
const wrongType = /^(InvalidArg|\w+Expected)$/u;

/** The error that the addon meant. */
export function fromNative(error: unknown): SeedstormError {
  if (!(error instanceof Error)) return asSeedstormError(error);
  if (error.message.startsWith('{"code":')) {
    const plain: PlainError = JSON.parse(error.message);
    // The addon's own checks are all of ranges; a wrong type is found by Node-API, below.
    if (plain.code === 'SEEDSTORM_E_INVALID_ARGUMENT') {
      return new SeedstormRangeError({ what: plain.what, mend: plain.mend });
    }
    return SeedstormError.fromJSON(plain);
  }
  if ('code' in error && typeof error.code === 'string' && wrongType.test(error.code)) {
    return new SeedstormError({
      code: 'SEEDSTORM_E_INVALID_ARGUMENT',
      what: `an argument is of the wrong type: ${error.message.trim() || error.code}`,
      mend: 'give what the types of @seedstorm/native ask for',
      cause: error,
    });
  }
  return asSeedstormError(error);
}

/** Calls the addon. */
export function native<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw fromNative(error);
  }
}

/** Calls the addon for a promise. */
export async function nativeAsync<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw fromNative(error);
  }
}
