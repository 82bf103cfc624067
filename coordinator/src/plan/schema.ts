/**
 * The one schema of a plan: its types, its validation, the JSON Schema for editors and the reference page are all
 * made from it. It looks at values one by one; what depends on several keys is in checks.ts, and every default is
 * filled in by resolve.ts.
 */
import { z } from 'zod';
import { key } from './key-docs.js';
import {
  choice,
  choiceOrBoolean,
  duration,
  integer,
  largeSize,
  powerOfTwo,
  ratio,
  seed,
  size,
  sizeChoice,
  text,
} from './leaf.js';
import { s3Target } from './schema-s3.js';
import { formatDuration, formatSize } from './units.js';

export { type KeyDoc, keyDocs } from './key-docs.js';

const KiB = 1024;
const MiB = 1024 ** 2;
const GiB = 1024 ** 3;
const TiB = 1024 ** 4;

/** The most stages that a plan may have. */
export const maxStages = 100;
/** The most objects (files) that a layout may have. */
export const maxObjects = 1_000_000_000;

/** Codecs that a compression ratio can be aimed at. */
export const codecs = ['any', 'lz4', 'zstd', 'deflate', 'at-least'] as const;
/** Bytes that a codec may be taken to compress at a time. */
export const recordSizes = [4 * KiB, 16 * KiB, 128 * KiB] as const;
/** When written data is made durable. */
export const syncModes = ['block', 'range', 'file', 'end', 'never'] as const;
/** The stages, in the order of the reference page. */
export const stageKinds = ['write', 'read', 'verify', 'generate', 'delete'] as const;

/** The values of keys that a plan leaves out, where they do not depend on other keys. */
export const defaults = {
  unitBytes: MiB,
  ratioMilli: 1000,
  codec: 'any',
  recordBytes: 128 * KiB,
  direct: 'auto',
  sync: 'range',
  agentsMinimum: 1,
  leaseMs: 10_000,
  settleTimeoutMs: 60_000,
  assign: 'dynamic',
  delayMs: 0,
} as const;

const data = z.strictObject({
  size: key(largeSize(), {
    meaning: 'How much data the run writes, over all agents; rounded up to whole units.',
    example: 'size: 10TiB',
  }),
  unit: key(size({ minimum: 4096, maximum: GiB, multiple: 4096 }).optional(), {
    meaning: 'The grain of dedup and of seed ranges.',
    default: formatSize(defaults.unitBytes),
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

const nullTarget = z.strictObject({
  // An unquoted null is YAML's null to an editor, and a word to Seedstorm, which goes by the source text.
  kind: key(z.literal('null').meta({ type: undefined, const: undefined, enum: ['null', null] }), {
    meaning: 'Bytes are made and thrown away: what the generators can do without storage.',
    example: 'kind: null',
  }),
});

const memoryTarget = z.strictObject({
  kind: key(z.literal('memory'), {
    meaning: "Data stays in each agent's memory: what the engine can do without storage, verification included.",
    example: 'kind: memory',
  }),
  limit: key(size({ minimum: 4096, maximum: 64 * TiB }).optional(), {
    meaning: 'The most memory that one agent may fill.',
    default: "the agent's free memory is the limit",
    example: 'limit: 16GiB',
  }),
});

const fileTarget = z.strictObject({
  kind: key(z.literal('file'), {
    meaning: 'Files in a folder that every agent reaches under the same path.',
    example: 'kind: file',
  }),
  path: key(
    text({
      takes: 'path',
      hint: 'write the path of a folder such as /mnt/scratch',
      fault: (path) => {
        if (path.trim() === '') return 'is not a path';
        if (path.includes('\0')) return 'has a NUL byte, which no path can have';
        return Buffer.byteLength(path) > 3000 ? 'is longer than 3000 bytes' : undefined;
      },
    }),
    {
      meaning:
        "An existing folder: absolute, or relative to the plan file's folder. A run makes a folder of its own in it, named by the run id.",
      example: 'path: /lustre/qualify',
    },
  ),
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
  align: key(size({ minimum: 4096, maximum: 64 * GiB, multiple: 4096 }).optional(), {
    meaning:
      'With one shared file (files.count 1): leases begin and end on multiples of this, such as a stripe, so that agents do not contend for its locks.',
    default: 'the larger of unit and block',
    example: 'align: 16MiB',
  }),
  io: key(
    z
      .strictObject({
        block: key(size({ minimum: 512, maximum: 64 * MiB }).optional(), {
          meaning:
            'Bytes in one I/O: divides the unit or is a multiple of it, and is a multiple of 4096 unless direct is false.',
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
      })
      .optional(),
    {
      meaning: 'How the files are read and written.',
      default: 'the defaults of its keys',
      example: 'io: { block: 1MiB }',
    },
  ),
});

const stageOptions = z.strictObject({
  delay: key(duration({ minimum: '0s', maximum: '24h' }).optional(), {
    meaning: 'Wait before the stage begins: lets caches drain, or a person act.',
    default: formatDuration(defaults.delayMs),
    example: 'delay: 30s',
  }),
});

const stage = z
  .strictObject({
    write: key(stageOptions.optional(), {
      meaning: 'Writes every unit. A second write stage over the same data writes the next generation of it.',
      example: '- write: {}',
    }),
    read: key(stageOptions.optional(), {
      meaning: 'Reads every unit and looks at none of the bytes: how fast the storage reads.',
      example: '- read: {}',
    }),
    verify: key(stageOptions.optional(), {
      meaning: 'Reads every unit and compares every byte with what was written.',
      example: '- verify: { delay: 30s }',
    }),
    generate: key(stageOptions.optional(), {
      meaning: 'Makes every unit and sends it nowhere: how fast the generators are. Needs no data on the target.',
      example: '- generate: {}',
    }),
    delete: key(stageOptions.optional(), {
      meaning: 'Removes what the run wrote.',
      example: '- delete: {}',
    }),
  })
  .meta({ minProperties: 1, maxProperties: 1 })
  .transform((item, context): { kind: (typeof stageKinds)[number]; delay: number | undefined } => {
    const [kind, ...more] = stageKinds.filter((each) => item[each] !== undefined);
    if (kind === undefined || more.length > 0) {
      const message = kind === undefined ? 'names no stage' : `names ${1 + more.length} stages`;
      const mend = 'write one stage in each item of the list, such as - write: {}';
      context.issues.push({ code: 'custom', message, input: item, params: { mend } });
      return z.NEVER;
    }
    return { kind, delay: item[kind]?.delay };
  });

/** The schema of a plan whose values are the source texts of its YAML. */
export const planSchema = z.strictObject({
  name: key(
    text({
      takes: 'text, at most 64 of a–z, 0–9, -, _ and .',
      hint: 'use at most 64 of a–z, 0–9, -, _ and .',
      pattern: '^[a-z0-9._-]{1,64}$',
      fault: (name) => (/^[a-z0-9._-]{1,64}$/u.test(name) ? undefined : 'is not a name'),
    }).optional(),
    { meaning: 'What the run is called in lists and reports.', default: 'no name', example: 'name: lustre-acceptance' },
  ),
  seed: key(seed().optional(), {
    meaning: 'What all bytes are made from, with the namespace. Set it only to repeat the very bytes of another run.',
    default: 'random, and recorded',
    example: 'seed: 42',
  }),
  namespace: key(
    text({
      takes: 'text, at most 255 bytes of UTF-8',
      hint: 'write at most 255 bytes of UTF-8',
      fault: (namespace) => {
        if (Buffer.byteLength(namespace) > 255) return 'is longer than 255 bytes of UTF-8';
        const survives = Buffer.from(namespace, 'utf8').toString('utf8') === namespace;
        return survives ? undefined : 'is not valid Unicode';
      },
    }).optional(),
    {
      meaning: 'Separates the data of runs that share a seed.',
      default: 'the run id',
      example: 'namespace: host-7',
    },
  ),
  data: key(data, { meaning: 'What is written.', example: 'data: { size: 4GiB }' }),
  target: key(z.discriminatedUnion('kind', [nullTarget, memoryTarget, fileTarget, s3Target]), {
    meaning: 'Where it is written to.',
    example: 'target: { kind: file, path: /mnt/scratch }',
  }),
  load: key(
    z
      .strictObject({
        lanesPerAgent: key(integer({ minimum: 1, maximum: 4096 }).optional(), {
          meaning: 'The most lanes (pinned native threads) that each agent uses.',
          default: 'all that the agent has: one per core',
          example: 'lanesPerAgent: 16',
        }),
      })
      .optional(),
    { meaning: 'How hard the agents push.', default: 'all lanes', example: 'load: { lanesPerAgent: 16 }' },
  ),
  agents: key(
    z
      .strictObject({
        minimum: key(integer({ minimum: 1, maximum: 10_000 }).optional(), {
          meaning: 'The run begins when at least this many agents have joined.',
          default: String(defaults.agentsMinimum),
          example: 'minimum: 3',
        }),
      })
      .optional(),
    { meaning: 'How many agents the run needs.', default: 'one', example: 'agents: { minimum: 3 }' },
  ),
  control: key(
    z
      .strictObject({
        lease: key(duration({ minimum: '2s', maximum: '1h' }).optional(), {
          meaning:
            'How long an agent may work on a range after its last acknowledged heartbeat, before others take it over.',
          default: formatDuration(defaults.leaseMs),
          example: 'lease: 10s',
        }),
        settleTimeout: key(duration({ minimum: '0s', maximum: '24h' }).optional(), {
          meaning:
            'How long a rewrite or a delete waits for the late writes of a lost agent, when it is not known to have stopped.',
          default: formatDuration(defaults.settleTimeoutMs),
          example: 'settleTimeout: 60s',
        }),
      })
      .optional(),
    { meaning: 'How losses are dealt with.', default: 'the defaults of its keys', example: 'control: { lease: 10s }' },
  ),
  assign: key(choice(['dynamic', 'static']).optional(), {
    meaning:
      'dynamic: small leases, so that fast agents do more. static: equal shares dealt out at the start, to compare with tools that do so.',
    default: defaults.assign,
    example: 'assign: static',
  }),
  stages: key(z.array(stage).min(1).max(maxStages), {
    meaning:
      'What the run does, in this order: a list whose items name one stage each. A stage begins when the one before has ended.',
    example: 'stages: [{ write: {} }, { verify: {} }, { delete: {} }]',
  }),
});

/**
 * A plan as it was typed, each value parsed: sizes in bytes, durations in milliseconds, ratios × 1000, `window` as
 * the exponent of its power of two. Keys that were left out are left out here too.
 */
export type Plan = z.output<typeof planSchema>;
/** A plan's target as it was typed. */
export type PlanTarget = Plan['target'];
/** A file target as it was typed. */
export type PlanFileTarget = Extract<PlanTarget, { kind: 'file' }>;
/** An S3 target as it was typed. */
export type PlanS3Target = Extract<PlanTarget, { kind: 's3' }>;
/** One stage as it was typed; `delay` in milliseconds. */
export type PlanStage = Plan['stages'][number];
/** The name of a stage. */
export type StageKind = (typeof stageKinds)[number];
/** When written data is made durable. */
export type SyncMode = (typeof syncModes)[number];
/** What a compression ratio is aimed at. */
export type Codec = (typeof codecs)[number];
