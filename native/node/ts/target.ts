/** A target before a run uses it: what only the system can be asked. */
import type { JsDirectAlignment } from '../binding.js';
import { binding } from './binding.js';
import { nativeAsync } from './errors.js';

/** What a file system wants of O_DIRECT; `told` when the kernel said so, else it was tried. */
export type DirectAlignment = JsDirectAlignment;

/**
 * What the file system of a folder wants of O_DIRECT. Makes a file without a name there for the time that it takes.
 * @throws SeedstormError TARGET_NOT_WRITABLE, DISK_FULL, IO.
 */
export function directAlignment(folder: string): Promise<DirectAlignment> {
  return nativeAsync(() => binding.directAlignment(folder));
}

/**
 * Writes back what is dirty and empties this host's page cache.
 * @throws SeedstormError DROP_CACHES_REFUSED where this process may not.
 */
export function dropCaches(): Promise<void> {
  return nativeAsync(() => binding.dropCaches());
}
