/** Turns what the addon throws into a SeedstormError: the addon puts code, what and mend as JSON into the message. */
import { asSeedstormError, type PlainError, SeedstormError } from '@seedstorm/errors';

/** The error that the addon meant. */
export function fromNative(error: unknown): SeedstormError {
  if (!(error instanceof Error) || !error.message.startsWith('{"code":')) return asSeedstormError(error);
  const plain: PlainError = JSON.parse(error.message);
  return SeedstormError.fromJSON(plain);
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
