/** Small objects without a copy: slices of large buffers that are filled ahead. */
import { SeedstormRangeError } from '@seedstorm/errors';
import { newBuffer } from './destination.js';
import type { Engine } from './engine.js';
import { DataGenerator } from './generator.js';
import type { ContentOptions } from './parameters.js';
import { countBetween, maxStreamBytes } from './ranges.js';

/** What the objects hold, and how much is kept ready. */
export interface ObjectPoolOptions extends ContentOptions {
  /** Bytes that are filled at a time, and so of the largest object: a multiple of 4096 up to 1 GiB; default 8 MiB. */
  readonly blockBytes?: number;
  /** The engine; default the one that all generators share. */
  readonly engine?: Engine;
}

const usualBlockBytes = 8 * 1024 ** 2;
const cellBytes = 4096;
const wordBytes = 16;

/**
 * Gives out slices of one stream, no byte of it twice: so objects are distinct, but for the units that `dedup` asks to
 * be alike. Objects of 4096 bytes and more, and all where `compress` is set, begin on a cell of 4096 bytes, so that they
 * compress and deduplicate as asked; smaller ones lie 16 bytes apart.
 *
 * A slice stays valid for as long as it is referenced, and so does its whole block. The pool itself holds two blocks at
 * most: the one that is given out, and the next, which lanes fill meanwhile.
 *
 *     const pool = new ObjectPool({ seed: 42n, compress: 2 });
 *     for (let i = 0; i < 1000; i++) put(`key-${i}`, pool.take(64 * 1024));
 */
export class ObjectPool {
  readonly blockBytes: number;
  readonly #generator: DataGenerator;
  readonly #isDense: boolean;
  #block: Buffer;
  /** The next byte of the block. */
  #at = 0;
  #next: NextBlock;

  /** @throws SeedstormRangeError when an option is out of its range; it names the range. */
  constructor(options: ObjectPoolOptions = {}) {
    this.blockBytes = countBetween('blockBytes', options.blockBytes ?? usualBlockBytes, cellBytes, 2 ** 30);
    if (this.blockBytes % cellBytes !== 0) {
      throw new SeedstormRangeError({
        what: `blockBytes is ${this.blockBytes}`,
        mend: `give blockBytes as a multiple of ${cellBytes} from ${cellBytes} to ${2 ** 30}`,
      });
    }
    const { blockBytes: _, ...content } = options;
    this.#generator = new DataGenerator({ ...content, size: maxStreamBytes });
    this.#isDense = Number(options.compress ?? 1) === 1;
    this.#block = Buffer.alloc(0);
    this.#next = this.#ahead();
  }

  /** The seed of the objects. */
  get seed(): bigint {
    return this.#generator.seed;
  }

  /**
   * An object of `bytes` bytes, without a copy. Where the next block is needed before lanes have filled it, this thread
   * fills one by itself, which takes about a millisecond.
   * @throws SeedstormRangeError when it is larger than a block; SeedstormError as `DataGenerator.fillChunk`.
   */
  take(bytes: number): Buffer {
    if (!(Number.isInteger(bytes) && bytes >= 0 && bytes <= this.blockBytes)) {
      throw new SeedstormRangeError({
        what: `an object of ${bytes} bytes was asked for`,
        mend: `ask for a whole number of bytes from 0 to ${this.blockBytes}, or set blockBytes`,
      });
    }
    const grain = this.#isDense && bytes < cellBytes ? wordBytes : cellBytes;
    let start = Math.ceil(this.#at / grain) * grain;
    if (start + bytes > this.#block.byteLength) {
      this.#advance();
      start = 0;
    }
    this.#at = start + bytes;
    return this.#block.subarray(start, this.#at);
  }

  #advance(): void {
    const { block, state, error } = this.#next;
    if (state === 'failed') {
      this.#next = this.#ahead();
      throw error;
    }
    if (state === 'filled') {
      this.#block = block;
      this.#next = this.#ahead();
    } else {
      this.#block = newBuffer(this.blockBytes);
      this.#generator.fillChunkSync(this.#block);
    }
  }

  /** Begins to fill a block, which has its own part of the stream whatever is filled beside it. */
  #ahead(): NextBlock {
    const next: NextBlock = { block: newBuffer(this.blockBytes), state: 'filling', error: undefined };
    this.#generator.fillChunk(next.block).then(
      () => {
        next.state = 'filled';
      },
      (error) => {
        next.state = 'failed';
        next.error = error;
      },
    );
    return next;
  }
}

/** A block that is filled ahead. */
interface NextBlock {
  readonly block: Buffer;
  state: 'filling' | 'filled' | 'failed';
  error: unknown;
}
