/** Properties, and checks inside of them, which run by the million: `expect` is asked only to say what is wrong. */
import { isDeepStrictEqual } from 'node:util';
import * as fc from 'fast-check';
import { expect } from 'vitest';

/** Throws with a difference unless the two are deeply equal. */
export function equal<T>(actual: T, expected: T, what?: string): void {
  if (!isDeepStrictEqual(actual, expected)) expect(actual, what).toStrictEqual(expected);
}

/** Throws unless `condition` holds. */
export function holds(condition: boolean, what: string): void {
  if (!condition) throw new Error(`does not hold: ${what}`);
}

/** Throws with the smallest case found unless `check` passes for `runs` random values. */
export function forAll<T>(values: fc.Arbitrary<T>, runs: number, check: (value: T) => void): void {
  // biome-ignore lint/nursery/noFloatingPromises: of a synchronous property, fc.assert returns nothing.
  fc.assert(fc.property(values, check), { numRuns: runs });
}
