/** Many buffers at once, of aligned memory that comes from a NUMA node. */
import type { JsBufferPlace } from '../binding.js';
import { binding } from './binding.js';
import { native, nativeAsync } from './errors.js';
import { type MemoryOptions, nativeMemory } from './memory.js';

/** Which buffers are wanted. */
export interface BufferRequest {
  /** How many: 1 (the default) to 65536. */
  readonly count?: number;
  /** Bytes in each, at least 1. */
  readonly bytes: number;
  /** Each begins at a multiple of this, a power of two up to 2^30; default 4096, which O_DIRECT asks for. */
  readonly alignment?: number;
  /** The NUMA node that the memory is to come from, where the system allows it; default the system's choice. */
  readonly node?: number;
  /** How firmly it belongs there, and how large its pages are. */
  readonly memory?: MemoryOptions;
}

/** Where a buffer lies. */
export type BufferPlace = JsBufferPlace;

const usualAlignment = 4096;

/** Nodes that memory was asked of, by the memory. */
const nodes = new WeakMap<ArrayBufferLike, number>();

/**
 * Zeroed buffers, side by side in memory of their own: aligned, on huge pages where they are large and the system has
 * them, and touched. The memory is given back when none of them is referenced any more.
 * @throws SeedstormRangeError when a number is out of its range; SeedstormError OUT_OF_MEMORY, NUMA_MEMORY, HUGE_PAGES,
 * LANE_START.
 */
export async function allocateBuffers(request: BufferRequest): Promise<Buffer[]> {
  const { count = 1, bytes, alignment = usualAlignment, node, memory = {} } = request;
  const wanted = { count, bytes, alignment, memory: nativeMemory(memory), ...(node === undefined ? {} : { node }) };
  const buffers = await nativeAsync(() => binding.allocateBuffers(wanted));
  if (node !== undefined) for (const buffer of buffers) nodes.set(buffer.buffer, node);
  return buffers;
}

/** Where a buffer lies: its alignment, and the NUMA node of its first page. */
export function bufferPlace(buffer: Uint8Array): BufferPlace {
  return native(() => binding.bufferPlace(buffer));
}

/** The node that a buffer's memory was asked of. */
export function nodeOfBuffer(buffer: Uint8Array): number | undefined {
  return nodes.get(buffer.buffer);
}
