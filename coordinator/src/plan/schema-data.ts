/** The keys of `data`. A part of schema.ts, which says how plans are looked at. */
import { z } from 'zod';
import { codecs, defaults, recordSizes } from './choices.js';
import { key } from './key-docs.js';
import { choice, largeSize, powerOfTwo, ratio, size, sizeChoice } from './leaf.js';
import { formatSize } from './units.js';

const GiB = 1024 ** 3;

/** How much data there is, and what it is like. */
export const data = z.strictObject({
  size: key(largeSize().optional(), {
    meaning:
      'How much data the run writes, over all agents; rounded up to whole units. Needed for every target but a tree of files, which says it itself.',
    default: 'what the files of target.tree hold',
    example: 'size: 10TiB',
  }),
  unit: key(size({ minimum: 4096, maximum: GiB, multiple: 4096 }).optional(), {
    meaning: 'The grain of dedup and of seed ranges.',
    default: `${formatSize(defaults.unitBytes)}; for a tree the size of a file, rounded up to 4KiB, and at most 1MiB`,
    example: 'unit: 1MiB',
  }),
  dedup: key(
    z
      .strictObject({
        ratio: key(ratio({ maximum: 2 ** 32 }), {
          meaning: 'Units written for each unit that is distinct; exact in every whole window. At most the window.',
          example: 'ratio: 1.5',
        }),
        window: key(powerOfTwo({ maxBits: 32 }).optional(), {
          meaning: 'Units within which copies of a unit lie.',
          default: "the largest power of two up to 4096 and up to 1/64 of the data's units, and no less than the ratio",
          example: 'window: 4096',
        }),
      })
      .optional(),
    { meaning: 'How well the data deduplicates.', default: 'no two units are alike', example: 'dedup: { ratio: 1.5 }' },
  ),
  compress: key(
    z
      .strictObject({
        ratio: key(ratio({ maximum: 100 }), {
          meaning: 'Bytes of data for each byte that a codec makes of it.',
          example: 'ratio: 2.0',
        }),
        codec: key(choice(codecs).optional(), {
          meaning:
            'What the ratio is aimed at. any is near for all of them; at-least is for storage that keeps compressed data in fixed fragments.',
          default: defaults.codec,
          example: 'codec: lz4',
        }),
        record: key(sizeChoice(recordSizes).optional(), {
          meaning: 'Bytes that the codec compresses at a time.',
          default: formatSize(defaults.recordBytes),
          example: 'record: 16KiB',
        }),
      })
      .optional(),
    {
      meaning: 'How well the data compresses.',
      default: 'it does not',
      example: 'compress: { ratio: 2, codec: lz4 }',
    },
  ),
});
