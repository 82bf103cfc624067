/** The content function without an engine; see docs/content.md. */
import type { ContentParameters } from '../binding.js';
import { binding } from './binding.js';
import { native } from './errors.js';

export type { ContentParameters } from '../binding.js';

/**
 * `length` bytes of the stream from `offset` on, made on this thread: for lengths that take no time.
 * @throws SeedstormError INVALID_ARGUMENT when a parameter is out of its range, or the range ends beyond 2^63.
 */
export function contentBytes(
  parameters: ContentParameters,
  generation: number,
  offset: bigint,
  length: number,
): Buffer {
  return native(() => binding.contentBytes(parameters, generation, offset, length));
}

/** The key of a stream: 16 bytes. */
export function contentKey(parameters: ContentParameters): Buffer {
  return native(() => binding.contentKey(parameters));
}

/** The dedup window to use for `units` units and a ratio × 1000 where the user sets none, as its binary logarithm. */
export function defaultWindowBits(units: number, dedupMilli: number): number {
  return native(() => binding.defaultWindowBits(units, dedupMilli));
}
