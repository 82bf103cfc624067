/** A store that speaks S3, looked at before a run. */
import type { JsS3Sink, JsTaskSpec } from '../binding.js';
import { binding } from './binding.js';
import { nativeAsync } from './errors.js';

/** Where the objects of a run are in a store, and how it is talked to. */
export type S3Sink = JsS3Sink;

/**
 * Asks the first endpoint for the bucket, with this process's credentials; changes nothing. How far the store's clock is
 * ahead of this host's, in ms and to the second; undefined when the store does not say what time it has.
 * @throws SeedstormError ACCESS_DENIED, TARGET_MISSING, UNREACHABLE, INVALID_ARGUMENT.
 */
export async function checkS3(sink: S3Sink): Promise<number | undefined> {
  return (await nativeAsync(() => binding.checkS3(sink))) ?? undefined;
}

/**
 * Ends what the task of a delete began: gives up uploads of the run that are still open and removes older versions of its
 * objects, but for those that are spared. Whether nothing of the run is left.
 * @throws SeedstormError ACCESS_DENIED, TARGET_MISSING, UNREACHABLE, IO.
 */
export function clearS3(spec: JsTaskSpec): Promise<boolean> {
  return nativeAsync(() => binding.clearS3(spec));
}
