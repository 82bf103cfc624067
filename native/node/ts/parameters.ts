/** What a library's caller says of content, as the content function's parameters. */
import { randomBytes } from 'node:crypto';
import { SeedstormRangeError } from '@seedstorm/errors';
import { binding } from './binding.js';
import { type ContentParameters, defaultWindowBits } from './content.js';
import { native } from './errors.js';
import { countBetween, seedOf } from './ranges.js';

/** Which content: all of it has a default. See docs/content.md for what each parameter does. */
export interface ContentOptions {
  /** 64 bits; a random one unless given, which `DataGenerator.seed` tells. */
  readonly seed?: bigint | number;
  /** Separates streams that share a seed: at most 255 bytes of UTF-8; default empty. */
  readonly namespace?: string;
  /** Dedup ratio, with at most three decimals: 1 (the default) to the window's units. */
  readonly dedup?: number | string;
  /** Units of the dedup window: a power of two up to 2^32; default by the size, 4096 for large data. */
  readonly windowUnits?: number;
  /** Compression ratio, with at most three decimals: 1 (the default) to 100. */
  readonly compress?: number | string;
  /** What the compression ratio is aimed at; default `any`. */
  readonly codec?: Codec;
  /** Bytes that the codec compresses at a time: 4096, 16384 or 131072 (the default). */
  readonly recordBytes?: number;
  /** Bytes in a unit, the grain of dedup: a multiple of 4096 up to 1 GiB; default 1 MiB. */
  readonly unitBytes?: number;
}

/** The codecs that a compression ratio can be aimed at; `at-least` reaches the ratio with any of them. */
export type Codec = 'any' | 'lz4' | 'zstd' | 'deflate' | 'at-least';

const usualUnitBytes = 1024 ** 2;
const usualRecordBytes = 131_072;
const maxWindowUnits = 2 ** 32;

/**
 * The parameters for `size` bytes.
 * @throws SeedstormRangeError when an option is out of its range; it names the range.
 */
export function parametersOf(options: ContentOptions, size: bigint): ContentParameters {
  const unitBytes = options.unitBytes ?? usualUnitBytes;
  const dedupMilli = ratioMilli('dedup', options.dedup ?? 1);
  const parameters = {
    seed: options.seed === undefined ? randomBytes(8).readBigUInt64LE() : seedOf(options.seed),
    namespace: options.namespace ?? '',
    unitBytes,
    dedupMilli,
    compressMilli: ratioMilli('compress', options.compress ?? 1),
    codec: options.codec ?? 'any',
    recordBytes: options.recordBytes ?? usualRecordBytes,
  };
  countBetween('unitBytes', unitBytes, 4096, 2 ** 30);
  const units = (size + BigInt(unitBytes) - 1n) / BigInt(unitBytes);
  const { windowUnits } = options;
  const windowBits =
    windowUnits === undefined ? defaultWindowBits(Number(units), dedupMilli) : windowBitsOf(windowUnits);
  return { ...parameters, windowBits };
}

/** A ratio × 1000. A number stands for its shortest decimal text, so that 2.3 is 2300 and not what 2.3 × 1000 gives. */
function ratioMilli(name: string, ratio: number | string): number {
  try {
    return native(() => binding.ratioMilli(String(ratio)));
  } catch (cause) {
    throw new SeedstormRangeError({
      what: `${name} is ${JSON.stringify(ratio) ?? String(ratio)}`,
      mend: `give ${name} as a ratio of at least 1 with at most three decimals, such as 1.5`,
      cause,
    });
  }
}

function windowBitsOf(windowUnits: number): number {
  const bits = Math.log2(countBetween('windowUnits', windowUnits, 1, maxWindowUnits));
  if (Number.isInteger(bits)) return bits;
  throw new SeedstormRangeError({
    what: `windowUnits is ${windowUnits}`,
    mend: `give windowUnits as a power of two from 1 to ${maxWindowUnits}`,
  });
}
