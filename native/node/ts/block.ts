/** Block devices: a look at one, before anything is done to it. */
import type { JsBlockPlace, JsBlockUse, JsLooked } from '../binding.js';
import { binding } from './binding.js';
import { nativeAsync } from './errors.js';

/** A block device, or a part of it; offsets and lengths in bytes. */
export type BlockPlace = JsBlockPlace;
/** What is to happen on it. */
export type BlockUse = JsBlockUse;
/** What was seen there, and what speaks against the use of it, the gravest first. */
export type LookedAtDevice = JsLooked;

/**
 * Looks at a device without changing it, on a thread of its own.
 * @throws SeedstormError TARGET_MISSING, DEVICE_UNFIT, IO: there is no device to look at.
 */
export function lookAtDevice(place: BlockPlace, use: BlockUse): Promise<LookedAtDevice> {
  return nativeAsync(() => binding.lookAtDevice(place, use));
}
