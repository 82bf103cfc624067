/** The keys of a block target. A part of schema.ts, which says how plans are looked at. */
import { z } from 'zod';
import { defaults, syncModes } from './choices.js';
import { key } from './key-docs.js';
import { choice, size, text } from './leaf.js';
import { ioEngineKey } from './schema-file.js';
import { formatSize } from './units.js';

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;
const TiB = 1024 ** 4;

/** A block device. */
export const blockTarget = z.strictObject({
  kind: key(z.literal('block'), {
    meaning: 'A block device, or a part of it, that every agent reaches under the same path. What is there is lost.',
    example: 'kind: block',
  }),
  device: key(
    text({
      takes: 'path',
      hint: 'write the absolute path of a block device such as /dev/nvme0n1',
      fault: (path) => {
        if (!path.startsWith('/')) return 'is not an absolute path';
        if (path.includes('\0')) return 'has a NUL byte, which no path can have';
        return Buffer.byteLength(path) > 3000 ? 'is longer than 3000 bytes' : undefined;
      },
    }),
    {
      meaning:
        'The device. It is refused when it is in use, and when anything is on it but zeros or data of the same seed and namespace.',
      example: 'device: /dev/nvme0n1',
    },
  ),
  identity: key(
    text({
      takes: 'text, at most 1000 bytes',
      hint: 'write the identity that seedstorm check prints for the device',
      fault: (identity) => {
        if (identity.trim() === '') return 'is empty';
        return Buffer.byteLength(identity) > 1000 ? 'is longer than 1000 bytes' : undefined;
      },
    }).optional(),
    {
      meaning:
        "The device's own identity, as seedstorm check prints it: says that all that is on this device may be lost. Another device is refused. It never lets through a device that is in use.",
      default: 'the device must be empty',
      example: 'identity: eui.0025385b71b0e2c1',
    },
  ),
  offset: key(size({ minimum: 0, maximum: 4096 * TiB, multiple: 512 }).optional(), {
    meaning: "Where the part begins that the run uses; a multiple of the unit and of the device's sector.",
    default: formatSize(defaults.offsetBytes),
    example: 'offset: 1GiB',
  }),
  size: key(size({ minimum: 4096, maximum: 4096 * TiB, multiple: 512 }).optional(), {
    meaning: "The length of that part; a multiple of the unit and of the device's sector.",
    default: 'to the end of the device',
    example: 'size: 20TiB',
  }),
  align: key(size({ minimum: 4096, maximum: 64 * GiB, multiple: 4096 }).optional(), {
    meaning: 'Leases begin and end on multiples of this, such as an erase block or a zone.',
    default: 'the larger of unit and block',
    example: 'align: 16MiB',
  }),
  io: key(
    z
      .strictObject({
        block: key(size({ minimum: 512, maximum: 64 * MiB }).optional(), {
          meaning:
            "Bytes in one I/O: divides the unit or is a multiple of it, and is a multiple of the device's sector.",
          default: 'the unit, or its largest part of at most 1MiB',
          example: 'block: 4KiB',
        }),
        sync: key(choice(syncModes).optional(), {
          meaning:
            'When written data is made durable (the cache of the device is flushed), and so counts as done: after each block, each leased range, at the end of the stage, or never; file is as range.',
          default: defaults.sync,
          example: 'sync: end',
        }),
        engine: ioEngineKey,
      })
      .optional(),
    {
      meaning: 'How the device is read and written; I/O always goes around the page cache.',
      default: 'the defaults of its keys',
      example: 'io: { block: 1MiB }',
    },
  ),
});
