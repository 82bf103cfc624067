/** The keys of a file target. A part of schema.ts, which says how plans are looked at. */
import { z } from 'zod';
import { defaults, ioEngines, maxObjects, maxPaths, scopes, syncModes } from './choices.js';
import { key } from './key-docs.js';
import { choice, choiceOrBoolean, integer, size, text } from './leaf.js';
import { shareTarget } from './schema-share.js';
import { tree } from './schema-tree.js';

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;
const TiB = 1024 ** 4;

/** Which way the I/O of files and devices goes. */
export const ioEngineKey = key(choice(ioEngines).optional(), {
  meaning:
    'Which way the I/O goes. auto: io_uring, else Linux AIO for direct I/O, else threads that help; blocking calls for a queueDepth of 1. One that is named and cannot be had is an error.',
  default: defaults.ioEngine,
  example: 'engine: io_uring',
});

const targetPath = () =>
  text({
    takes: 'path',
    hint: 'write the path of a folder such as /mnt/scratch',
    fault: (path) => {
      if (path.trim() === '') return 'is not a path';
      if (path.includes('\0')) return 'has a NUL byte, which no path can have';
      if (path.split('/').includes('..')) return 'leads out of where it begins, by ..';
      return Buffer.byteLength(path) > 3000 ? 'is longer than 3000 bytes' : undefined;
    },
  });

/** Files. */
export const fileTarget = z.strictObject({
  kind: key(z.literal('file'), {
    meaning: 'Files in a folder that every agent reaches under the same path.',
    example: 'kind: file',
  }),
  path: key(targetPath().optional(), {
    meaning:
      "An existing folder: absolute, or relative to the plan file's folder, without `..`. A run makes a folder of its own in it, named by the run id.",
    default: 'paths names them',
    example: 'path: /lustre/qualify',
  }),
  paths: key(z.array(targetPath()).min(1).max(maxPaths).optional(), {
    meaning:
      'Several such folders instead of one, none inside another. Files are dealt out to them by their number, in turn; the run makes a folder of its own in each.',
    default: 'path names the only one',
    example: 'paths: [/mnt/a, /mnt/b]',
  }),
  scope: key(choice(scopes).optional(), {
    meaning:
      'shared: every agent reaches the same files, which is proven before anything is written. local: each host has storage of its own; what an agent wrote is read back by it alone, after it was taken out of the page cache, and is lost with it.',
    default: defaults.scope,
    example: 'scope: local',
  }),
  shareTarget,
  files: key(
    z
      .strictObject({
        count: key(integer({ minimum: 1, maximum: maxObjects }).optional(), {
          meaning: 'The number of files; 1 is one shared file.',
          default: 'files.size decides',
          example: 'count: 4096',
        }),
        size: key(size({ minimum: 4096, maximum: 4096 * TiB }).optional(), {
          meaning: 'The size of each file but the last; a whole number of units.',
          default: 'files.count decides',
          example: 'size: 16GiB',
        }),
      })
      .refine((files) => (files.count === undefined) !== (files.size === undefined), {
        message: 'needs either count or size',
        params: { mend: 'write one of them, such as files: { count: 64 }' },
      })
      .meta({ minProperties: 1, maxProperties: 1 })
      .optional(),
    {
      meaning:
        'How the data is cut into files. Leases end on file boundaries, so fewer files than agents leave some idle.',
      default: 'files of 1/64 of the data, at most 1GiB',
      example: 'files: { count: 64 }',
    },
  ),
  tree: key(tree.optional(), {
    meaning:
      'A tree of directories with many small files instead of large files: for metadata work, by the stages mkdir, create, stat, read, verify, list, rename and delete.',
    default: 'none: the data is cut into files',
    example: 'tree: { directories: 1000, filesPerDirectory: 1000 }',
  }),
  align: key(size({ minimum: 4096, maximum: 64 * GiB, multiple: 4096 }).optional(), {
    meaning:
      'Leases begin and end on multiples of this in a file, such as a stripe, so that several agents can share a file and not contend for its locks.',
    default: 'with one file the larger of unit and block; with several, leases are whole files',
    example: 'align: 16MiB',
  }),
  io: key(
    z
      .strictObject({
        block: key(size({ minimum: 512, maximum: 64 * MiB }).optional(), {
          meaning:
            'Bytes in one I/O. It divides the unit or is a multiple of it, and is a multiple of what the file system wants of O_DIRECT; with direct: false it is any size.',
          default: 'the unit, or its largest part of at most 1MiB',
          example: 'block: 1MiB',
        }),
        direct: key(choiceOrBoolean(['auto']).optional(), {
          meaning:
            'Whether I/O goes around the page cache (O_DIRECT). auto falls back where the file system refuses, and says so; true fails there.',
          default: defaults.direct,
          example: 'direct: true',
        }),
        sync: key(choice(syncModes).optional(), {
          meaning:
            'When written data is made durable, and so counts as done: after each block, each leased range, each file, at the end of the stage, or never.',
          default: defaults.sync,
          example: 'sync: end',
        }),
        engine: ioEngineKey,
        preallocate: key(choiceOrBoolean(['auto']).optional(), {
          meaning:
            'Whether each file has its room before its first byte (fallocate, never emulated by writing). auto goes on where the file system cannot, and says so; true fails there. The time is counted apart.',
          default: String(defaults.preallocate),
          example: 'preallocate: true',
        }),
      })
      .optional(),
    {
      meaning: 'How the files are read and written.',
      default: 'the defaults of its keys',
      example: 'io: { block: 1MiB }',
    },
  ),
});
