/**
 * Notes in a store that speaks S3: small objects below a target's prefix, outside every run's own place, by which runs and
 * agents tell each other something. Names begin with `.seedstorm-`. Each asks the sink's first endpoint.
 */
import { binding } from './binding.js';
import { nativeAsync } from './errors.js';
import type { S3Sink } from './s3.js';

/**
 * Writes a note, or writes it anew.
 * @throws SeedstormError ACCESS_DENIED, TARGET_MISSING, UNREACHABLE, IO, INVALID_ARGUMENT for a name that is no note's.
 */
export function putS3Note(sink: S3Sink, name: string, text: string): Promise<void> {
  return nativeAsync(() => binding.putS3Note(sink, name, text));
}

/**
 * What a note says; undefined when it is not there, empty when it is longer than any of ours.
 * @throws SeedstormError as putS3Note.
 */
export async function readS3Note(sink: S3Sink, name: string): Promise<string | undefined> {
  return (await nativeAsync(() => binding.readS3Note(sink, name))) ?? undefined;
}

/**
 * Removes a note, with all versions that the bucket keeps of it.
 * @throws SeedstormError as putS3Note.
 */
export function removeS3Note(sink: S3Sink, name: string): Promise<void> {
  return nativeAsync(() => binding.removeS3Note(sink, name));
}

/**
 * Names of the notes in a folder of notes, without the folder's.
 * @throws SeedstormError as putS3Note.
 */
export function listS3Notes(sink: S3Sink, folder: string): Promise<string[]> {
  return nativeAsync(() => binding.listS3Notes(sink, folder));
}
