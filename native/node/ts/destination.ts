/** What may be filled: memory that stays where it is until it is full. */
import { SeedstormError, SeedstormRangeError } from '@seedstorm/errors';

/**
 * Refuses memory that can be taken away while lanes write into it, and memory that is gone.
 * @throws SeedstormError INVALID_ARGUMENT.
 */
export function checkForLanes(memory: ArrayBufferView): void {
  if (!ArrayBuffer.isView(memory)) return;
  checkAttached(memory);
  // Shrinking takes pages away under the lanes.
  if ('resizable' in memory.buffer && memory.buffer.resizable) {
    throw new SeedstormError({
      code: 'SEEDSTORM_E_INVALID_ARGUMENT',
      what: 'the buffer is a view of a resizable ArrayBuffer',
      mend: 'give a view of an ArrayBuffer of fixed length',
    });
  }
}

/**
 * Refuses a view of an ArrayBuffer that was transferred to another owner: it has no byte, and a loop that fills it until
 * the data is complete would never end.
 * @throws SeedstormError INVALID_ARGUMENT.
 */
export function checkAttached(memory: ArrayBufferView): void {
  if (memory.byteLength > 0 || !isDetached(memory.buffer)) return;
  throw new SeedstormError({
    code: 'SEEDSTORM_E_INVALID_ARGUMENT',
    what: 'the buffer was transferred to another owner and is detached',
    mend: 'fill a buffer before it is transferred, or a new one',
  });
}

/** Node 20 has no `ArrayBuffer.prototype.detached`; of a detached one no view can be made. */
function isDetached(memory: ArrayBufferLike): boolean {
  try {
    return new Uint8Array(memory).byteLength < 0;
  } catch {
    return true;
  }
}

/**
 * Tells of memory that was transferred between the call and its end.
 * @throws SeedstormError INVALID_ARGUMENT.
 */
export function checkKept(memory: ArrayBufferView, byteLength: number): void {
  if (memory.byteLength === byteLength) return;
  throw new SeedstormError({
    code: 'SEEDSTORM_E_INVALID_ARGUMENT',
    what: 'the buffer was transferred to another owner while it was being worked on',
    mend: 'transfer a buffer only after its promise has settled',
  });
}

/**
 * A new buffer of this many bytes, not zeroed and not of Node's shared pool.
 * @throws SeedstormRangeError when JavaScript has no buffer of that size.
 */
export function newBuffer(bytes: number): Buffer {
  try {
    return Buffer.allocUnsafeSlow(bytes);
  } catch (cause) {
    throw new SeedstormRangeError({
      what: `a buffer of ${bytes} bytes cannot be had`,
      mend: 'ask for fewer bytes at a time',
      cause,
    });
  }
}
