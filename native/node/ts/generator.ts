/** A stream of content that fills the caller's buffers: in any chunks, from any place, the same bytes. */
import type { Readable } from 'node:stream';
import type { NativeStream } from '../binding.js';
import { binding } from './binding.js';
import { nodeOfBuffer } from './buffers.js';
import type { ContentParameters } from './content.js';
import { checkAttached, checkForLanes, newBuffer } from './destination.js';
import type { Engine } from './engine.js';
import { fromNative, native } from './errors.js';
import { type ContentOptions, parametersOf } from './parameters.js';
import { countBetween, maxStreamBytes, seedOf, wholeBetween } from './ranges.js';
import { type ChunkOptions, readableOf } from './readable.js';
import { sharedEngine, sharedEngineIfReady, sharedEngineNow } from './shared-engine.js';
import { isTurnSpent, nextTurn } from './turn.js';
import { identify, type Run, type Verification, verify } from './verify.js';

/** What a generator makes, and by whom. Everything but `size` has a default. */
export interface DataGeneratorOptions extends ContentOptions {
  /** Bytes in all: 0 to 2^63. */
  readonly size: bigint | number;
  /** Bytes that `getChunk`, `readable` and iteration give at a time; default 8 MiB. */
  readonly chunkSize?: number;
  /**
   * Whose lanes work: `all`, those of one NUMA node (by number), or `auto` (the default): those of the node that
   * `allocateBuffers` took the buffer from, and else all.
   */
  readonly numaMode?: 'auto' | 'all' | number;
  /** At most this many threads at once; default as many as there are. With 1 synchronous calls use none but the caller's. */
  readonly maxThreads?: number;
  /** The engine; default the one that all generators share. */
  readonly engine?: Engine;
}

/** By `npm run bench:generate`, the smallest chunk near the full rate. */
const usualChunkBytes = 8 * 1024 ** 2;
const maxChunkBytes = 2 ** 32;
const maxCertain = 2n ** 52n;
const maxThreads = 4096;
/** Turns of the event loop are this many times as long as the largest fill on JavaScript's thread, at most. */
const fillsPerTurn = 4;

/**
 * A stream of `size` bytes, a pure function of seed, namespace and place: chunk sizes, threads and order make no
 * difference. Small chunks are made on the caller's thread, large ones by lanes.
 *
 *     const generator = new DataGenerator({ size: 1024 ** 3, seed: 42n, dedup: 1.5, compress: 2 });
 *     const chunk = Buffer.allocUnsafe(32 * 1024 ** 2);
 *     while (!generator.isComplete) use(chunk.subarray(0, await generator.fillChunk(chunk)));
 */
export class DataGenerator implements AsyncIterable<Buffer> {
  /** Bytes in all. */
  readonly totalSize: bigint;
  /** Bytes that `getChunk`, `readable` and iteration give at a time. */
  readonly chunkSize: number;
  readonly #numaMode: 'auto' | 'all' | number;
  readonly #maxThreads: number | undefined;
  readonly #engine: Engine | undefined;
  /** The largest chunks that the caller's thread fills: synchronously, and for a promise. */
  readonly #inlineBytes: { readonly sync: number; readonly async: number };
  #parameters: ContentParameters;
  #stream: NativeStream;
  /**
   * Bytes that are certainly left: at most 2^52, so that subtracting is exact; 0 where the stream has to be asked, which
   * takes longer than to fill a small chunk.
   */
  #certainlyLeft = 0;
  /** Fills with the stream's next bytes on this thread. */
  #fillNext: (destination: Uint8Array) => number;

  /** @throws SeedstormRangeError when an option is out of its range, before any byte is made; it names the range. */
  constructor(options: DataGeneratorOptions) {
    this.totalSize = wholeBetween('size', options.size, 0n, maxStreamBytes);
    this.chunkSize = chunkSizeOf(options.chunkSize ?? usualChunkBytes);
    const { numaMode = 'auto', engine } = options;
    this.#numaMode = typeof numaMode === 'number' ? countBetween('numaMode', numaMode, 0, 2 ** 31) : numaMode;
    this.#maxThreads =
      options.maxThreads === undefined ? undefined : countBetween('maxThreads', options.maxThreads, 1, maxThreads);
    this.#engine = engine;
    this.#parameters = parametersOf(options, this.totalSize);
    this.#stream = streamOf(this.#parameters, this.totalSize);
    this.#fillNext = this.#stream.filler();
    const inlineBytes = native(() => binding.inlineBytes());
    this.#inlineBytes = { sync: this.#maxThreads === 1 ? Number.POSITIVE_INFINITY : inlineBytes, async: inlineBytes };
  }

  /** The seed that the next bytes are made with. */
  get seed(): bigint {
    return this.#parameters.seed;
  }

  /** Where the next chunk begins, in bytes. */
  get position(): bigint {
    return this.#stream.position;
  }

  /** Whether no byte is left to ask for. */
  get isComplete(): boolean {
    if (this.#certainlyLeft > 0) return false;
    const left = this.totalSize - this.position;
    this.#certainlyLeft = left < maxCertain ? Number(left) : Number(maxCertain);
    return left === 0n;
  }

  /**
   * The next bytes come from `position` on.
   * @throws SeedstormRangeError when that is not within 0 and `totalSize`.
   */
  seek(position: bigint | number): void {
    const valid = wholeBetween('position', position, 0n, this.totalSize);
    native(() => this.#stream.seek(valid));
    this.#certainlyLeft = 0;
  }

  /** Goes back to the start; the seed stays. */
  reset(): void {
    this.seek(0n);
  }

  /**
   * Makes all bytes that are asked for from now on with another seed, from where the generator is. Chunks that are being
   * filled keep the old one. A place has the bytes of the seed that is set when it is filled.
   */
  setSeed(seed: bigint | number): void {
    const parameters = { ...this.#parameters, seed: seedOf(seed) };
    const stream = streamOf(parameters, this.totalSize);
    native(() => stream.seek(this.position));
    this.#parameters = parameters;
    this.#stream = stream;
    this.#fillNext = stream.filler();
  }

  /**
   * Fills `buffer` with the next bytes, straight into it, and gives how many: less than its length only at the end. The
   * caller's thread does nothing else meanwhile: it makes small chunks alone, and large ones together with lanes.
   * @throws SeedstormError ENGINE_CLOSED, LANE_PANICKED, QUEUE_FULL, INVALID_ARGUMENT.
   */
  fillChunkSync(buffer: Uint8Array): number {
    if (buffer.byteLength > this.#inlineBytes.sync) return this.#fillWithLanes(buffer);
    let filled: number;
    try {
      filled = this.#fillNext(buffer);
    } catch (error) {
      throw fromNative(error);
    }
    if (filled === 0) checkAttached(buffer);
    this.#certainlyLeft -= filled;
    return filled;
  }

  /**
   * Fills `buffer` with the next bytes, straight into it, and resolves with how many: less than its length only at the
   * end. Large chunks are made by lanes, off the event loop: until the promise settles the memory is theirs, and must
   * not be read, written or transferred. Calls may overlap: each has its own part of the stream, which is passed over
   * if the call fails.
   * @throws SeedstormError ENGINE_CLOSED, LANE_PANICKED, QUEUE_FULL, INVALID_ARGUMENT.
   */
  async fillChunk(buffer: Uint8Array): Promise<number> {
    if (!(buffer.byteLength > this.#inlineBytes.async)) {
      const filled = this.fillChunkSync(buffer);
      if (isTurnSpent(filled, fillsPerTurn * this.#inlineBytes.async)) await nextTurn();
      return filled;
    }
    checkForLanes(buffer);
    const stream = this.#stream;
    const offset = stream.position;
    const length = stream.take(buffer.byteLength);
    if (length === 0) return 0;
    this.#certainlyLeft -= length;
    const destination = buffer.subarray(0, length);
    // Without going through the event loop where the engine is there: the lanes begin before this returns.
    const engine = this.#engine ?? sharedEngineIfReady() ?? (await sharedEngine());
    await engine.fill(stream, 0, offset, destination, this.#lanes(engine, buffer, 0));
    return length;
  }

  /**
   * The next `bytes` bytes (`chunkSize` unless given) in a buffer of their own: fewer at the end, none after it.
   * @throws SeedstormError as `fillChunk`.
   */
  async getChunk(bytes: number = this.chunkSize): Promise<Buffer> {
    const left = this.totalSize - this.position;
    const length = chunkSizeOf(bytes);
    const chunk = newBuffer(left < BigInt(length) ? Number(left) : length);
    return chunk.subarray(0, await this.fillChunk(chunk));
  }

  /**
   * The bytes from here to the end, chunk by chunk, each in a buffer of its own; one that is given up has been passed
   * over.
   * @throws SeedstormError as `fillChunk`; the signal's reason when it is aborted.
   */
  async *chunks(options: ChunkOptions = {}): AsyncGenerator<Buffer, void, undefined> {
    const bytes = options.chunkSize ?? this.chunkSize;
    while (!this.isComplete) {
      options.signal?.throwIfAborted();
      yield await this.getChunk(bytes);
    }
  }

  /** The bytes from here to the end, chunk by chunk: `for await (const chunk of generator)`. */
  [Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    return this.chunks();
  }

  /** The bytes from here to the end as a stream of Node: made as fast as they are read, one chunk ahead. */
  readable(options: ChunkOptions = {}): Readable {
    const bytes = chunkSizeOf(options.chunkSize ?? this.chunkSize);
    return readableOf(() => this.getChunk(bytes), bytes, options.signal);
  }

  /**
   * Compares `buffer` with what this generator makes from `offset` on, by lanes and off the event loop, and names what
   * is wrong. Until the promise settles the buffer must not be written or transferred.
   * @throws SeedstormRangeError when the range is not within the stream of 2^63 bytes.
   */
  async verify(buffer: Uint8Array, offset: bigint | number = 0n): Promise<Verification> {
    const from = wholeBetween('offset', offset, 0n, maxStreamBytes);
    const stream = this.#stream;
    return verify(this.#engine ?? (await sharedEngine()), stream, buffer, from);
  }

  /**
   * Says where in this generator's stream the bytes of `buffer` belong, of which neither offset nor generation is known.
   * @throws SeedstormRangeError for more than 64 MiB.
   */
  identify(buffer: Uint8Array): Promise<Run[]> {
    return identify(this.#stream, buffer);
  }

  #fillWithLanes(buffer: Uint8Array): number {
    checkForLanes(buffer);
    const engine = this.#engine ?? sharedEngineNow();
    // The shared engine is on its way: by the time it is there, this thread has made the bytes.
    if (engine === undefined) {
      const filled = native(() => this.#fillNext(buffer));
      this.#certainlyLeft -= filled;
      return filled;
    }
    const stream = this.#stream;
    const offset = stream.position;
    const length = stream.take(buffer.byteLength);
    this.#certainlyLeft -= length;
    // On one node's lanes the caller is left out: it may run on another.
    const callers = this.#nodeFor(engine, buffer) === undefined ? 1 : 0;
    const lanes = this.#lanes(engine, buffer, callers);
    const destination = buffer.subarray(0, length);
    native(() => stream.fillAndWait(engine.inner, lanes, callers === 1, offset, destination));
    return length;
  }

  /** The lanes for a buffer, as many as are left beside `callers` of the caller's own threads. */
  #lanes(engine: Engine, buffer: Uint8Array, callers: number): ReturnType<Engine['lanes']> {
    const max = this.#maxThreads === undefined ? undefined : this.#maxThreads - callers;
    return engine.lanes(this.#nodeFor(engine, buffer), max);
  }

  /** The node whose lanes are to fill a buffer; `undefined` for all. */
  #nodeFor(engine: Engine, buffer: Uint8Array): number | undefined {
    if (typeof this.#numaMode === 'number') return this.#numaMode;
    const node = this.#numaMode === 'all' ? undefined : nodeOfBuffer(buffer);
    return node !== undefined && engine.placement.some((pool) => pool.numaNode === node) ? node : undefined;
  }
}

function chunkSizeOf(given: number): number {
  return countBetween('chunkSize', given, 1, maxChunkBytes);
}

function streamOf(parameters: ContentParameters, size: bigint): NativeStream {
  return native(() => new binding.NativeStream(parameters, size));
}
