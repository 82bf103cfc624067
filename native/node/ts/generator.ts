/** A stream of content that fills the caller's buffers, off the event loop. */
import { SeedstormError } from '@seedstorm/errors';
import { type ContentParameters, contentKey, defaultWindowBits } from './content.js';
import type { Engine } from './engine.js';

/** What a generator makes. Everything but `size` has the content function's default. */
export interface DataGeneratorOptions {
  /** Bytes in all. */
  readonly size: bigint | number;
  readonly seed?: bigint;
  readonly namespace?: string;
  /** Bytes in a unit. */
  readonly unitBytes?: number;
  /** Dedup ratio × 1000. */
  readonly dedupMilli?: number;
  /** Compression ratio × 1000. */
  readonly compressMilli?: number;
  readonly codec?: string;
  readonly recordBytes?: number;
}

const usualUnitBytes = 1024 ** 2;
const maxWindowBits = 32;

function sizeOf(size: bigint | number): bigint {
  const isWhole = typeof size === 'bigint' || Number.isSafeInteger(size);
  if (isWhole && size >= 0 && size <= 2n ** 63n) return BigInt(size);
  throw new SeedstormError({
    code: 'SEEDSTORM_E_INVALID_ARGUMENT',
    what: `size is ${size}`,
    mend: 'give a size from 0 to 2^63 bytes; a BigInt above 2^53',
  });
}

/**
 * A stream of content. The engine is the caller's, and may serve many generators at once.
 *
 *     const generator = new DataGenerator(engine, { size: 1024 ** 3, seed: 42n, compressMilli: 2000 });
 *     const chunk = Buffer.allocUnsafe(32 * 1024 ** 2);
 *     while (!generator.isComplete) use(chunk.subarray(0, await generator.fillChunk(chunk)));
 */
export class DataGenerator {
  readonly totalSize: bigint;
  readonly #parameters: ContentParameters;
  readonly #engine: Engine;
  #position = 0n;

  /** @throws SeedstormError INVALID_ARGUMENT when an option is out of its range. */
  constructor(engine: Engine, options: DataGeneratorOptions) {
    this.totalSize = sizeOf(options.size);
    const { seed = 0n, namespace = '', unitBytes = usualUnitBytes, dedupMilli = 1000, compressMilli = 1000 } = options;
    const { codec = 'any', recordBytes = 131_072 } = options;
    const parameters = { seed, namespace, unitBytes, dedupMilli, compressMilli, codec, recordBytes };
    // Asking for the key checks every parameter before any byte is made; the window is a sound one if the others are.
    contentKey({ ...parameters, windowBits: maxWindowBits });
    const units = (this.totalSize + BigInt(unitBytes) - 1n) / BigInt(unitBytes);
    this.#engine = engine;
    this.#parameters = { ...parameters, windowBits: defaultWindowBits(Number(units), dedupMilli) };
    contentKey(this.#parameters);
  }

  /** Where the next chunk begins, in bytes. */
  get position(): bigint {
    return this.#position;
  }

  /** Whether every byte was asked for. */
  get isComplete(): boolean {
    return this.#position === this.totalSize;
  }

  /** Goes back to the start. */
  reset(): void {
    this.#position = 0n;
  }

  /**
   * Fills `buffer` with the next bytes, straight into it and off the event loop; resolves with how many, which is less
   * than its length only at the end. Calls may overlap: each has its own part of the stream, which is passed over if
   * the call fails.
   * @throws SeedstormError ENGINE_CLOSED, LANE_PANICKED, QUEUE_FULL, INVALID_ARGUMENT.
   */
  async fillChunk(buffer: Uint8Array): Promise<number> {
    const offset = this.#position;
    const left = this.totalSize - offset;
    const length = left < BigInt(buffer.byteLength) ? Number(left) : buffer.byteLength;
    this.#position += BigInt(length);
    if (length > 0) await this.#engine.fill(this.#parameters, 0, offset, buffer.subarray(0, length));
    return length;
  }
}
