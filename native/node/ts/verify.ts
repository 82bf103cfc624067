/** Compares buffers with content, and finds where in it they belong. */
import type { ContentParameters, JsFault, JsFindings, JsRun, NativeStream } from '../binding.js';
import { binding } from './binding.js';
import { checkForLanes, checkKept } from './destination.js';
import type { Engine } from './engine.js';
import { nativeAsync } from './errors.js';

/** A range of a buffer that does not hold what it should, and what it holds instead. */
export type Fault = JsFault;
/** What a comparison found: no faults where all is right. */
export type Verification = JsFindings;
/** Bytes of a buffer that belong together, and where in the stream. */
export type Run = JsRun;

/** Compares `buffer` with the stream from `offset` on. */
export async function verify(
  engine: Engine,
  stream: NativeStream,
  buffer: Uint8Array,
  offset: bigint,
): Promise<Verification> {
  checkForLanes(buffer);
  const { byteLength } = buffer;
  const found = await nativeAsync(() => stream.verify(engine.inner, offset, buffer));
  checkKept(buffer, byteLength);
  return found;
}

/** Says where in the stream bytes belong, of which neither offset nor generation is known. */
export function identify(stream: NativeStream, buffer: Uint8Array): Promise<Run[]> {
  return nativeAsync(() => stream.identify(buffer));
}

/**
 * Says where in the content of these parameters bytes belong, of which neither offset nor generation is known: in runs,
 * in order and without gaps, looked at in steps of 512 bytes; at most 64 MiB at a time.
 * @throws SeedstormError INVALID_ARGUMENT when a parameter is out of its range or there are too many bytes.
 */
export function identifyContent(parameters: ContentParameters, buffer: Uint8Array): Promise<Run[]> {
  return nativeAsync(async () => identify(new binding.NativeStream(parameters, 2n ** 63n), buffer));
}
