/** Vectors of 32-bit floating point numbers, by number: the same whatever is asked for at once. See docs/library.md. */
import { randomBytes } from 'node:crypto';
import type { NativeVectors } from '../binding.js';
import { binding } from './binding.js';
import { checkForLanes, checkKept } from './destination.js';
import type { Engine } from './engine.js';
import { native, nativeAsync } from './errors.js';
import { countBetween, maxStreamBytes, seedOf, wholeBetween } from './ranges.js';
import { sharedEngine } from './shared-engine.js';

/** Which vectors. */
export interface VectorOptions {
  /** Numbers in a vector: 1 to 2^20. */
  readonly dimension: number;
  /** 64 bits; a random one unless given, which `VectorGenerator.seed` tells. */
  readonly seed?: bigint | number;
  /** Separates streams that share a seed: at most 255 bytes of UTF-8; default empty. */
  readonly namespace?: string;
  /** Whether each vector has length 1; default false: numbers are uniform in [0, 1). */
  readonly normalised?: boolean;
  /** The engine; default the one that all generators share. */
  readonly engine?: Engine;
}

const maxDimension = 2 ** 20;
/** Numbers that the caller's thread makes by itself: some tens of µs, as long as it takes to wake lanes. */
const inlineNumbers = 16_384;

/** A stream of vectors, each a pure function of seed, namespace, dimension and its number. */
export class VectorGenerator {
  readonly dimension: number;
  readonly seed: bigint;
  readonly #engine: Engine | undefined;
  readonly #vectors: NativeVectors;

  /** @throws SeedstormRangeError when an option is out of its range; it names the range. */
  constructor(options: VectorOptions) {
    this.dimension = countBetween('dimension', options.dimension, 1, maxDimension);
    this.seed = options.seed === undefined ? randomBytes(8).readBigUInt64LE() : seedOf(options.seed);
    this.#engine = options.engine;
    const { namespace = '', normalised = false } = options;
    this.#vectors = native(() => new binding.NativeVectors(this.seed, namespace, this.dimension, normalised));
  }

  /**
   * Writes vectors `first`, `first + 1`, … into `destination`, one after the other: large ones by lanes, off the event
   * loop. Until the promise settles the memory is theirs.
   * @throws SeedstormRangeError when `destination` is no whole number of vectors, or the last is beyond 2^50 numbers.
   */
  async fill(destination: Float32Array, first: bigint | number = 0n): Promise<void> {
    const from = wholeBetween('first', first, 0n, maxStreamBytes);
    checkForLanes(destination);
    if (!(destination.length > inlineNumbers)) return native(() => this.#vectors.fillNow(from, destination));
    const engine = this.#engine ?? (await sharedEngine());
    const { byteLength } = destination;
    await nativeAsync(() => this.#vectors.fill(engine.inner, from, destination));
    checkKept(destination, byteLength);
  }

  /** One vector, made on this thread. */
  vector(number: bigint | number): Float32Array {
    const vector = new Float32Array(this.dimension);
    const from = wholeBetween('number', number, 0n, maxStreamBytes);
    native(() => this.#vectors.fillNow(from, vector));
    return vector;
  }
}
