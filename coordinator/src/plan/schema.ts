/**
 * The one schema of a plan: its types, its validation, the JSON Schema for editors and the reference page are all
 * made from it. It looks at values one by one; what depends on several keys is in checks.ts, and every default is
 * filled in by resolve.ts.
 */
import { z } from 'zod';
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
import { formatDuration, formatSize } from './units.js';

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
/** Which way the I/O of files goes. */
export const ioEngines = ['auto', 'io_uring', 'aio', 'threads'] as const;
/** Whether every agent sees the same files, or each host its own. */
export const scopes = ['shared', 'local'] as const;
/** The most paths that a file target may have. */
export const maxPaths = 256;
/** The stages, in the order of the reference page. */
export const stageKinds = ['write', 'read', 'verify', 'generate', 'network', 'delete'] as const;
/** Who sends to whom in a network stage. */
export const networkPatterns = ['all-to-all', 'pairs', 'coordinator'] as const;
/** Which way the bytes of a network stage go. */
export const networkDirections = ['both', 'one-way'] as const;

/** The kinds of I/O errors that a plan tells apart. */
export const errorKinds = ['open', 'read', 'write', 'sync', 'delete', 'full', 'missing'] as const;
/** The most I/O errors that a plan may let pass. */
const maxErrors = 1_000_000_000;

/** The values of keys that a plan leaves out, where they do not depend on other keys. */
export const defaults = {
  unitBytes: MiB,
  ratioMilli: 1000,
  codec: 'any',
  recordBytes: 128 * KiB,
  direct: 'auto',
  offsetBytes: 0,
  scope: 'shared',
  preallocate: false,
  dropCaches: false,
  sync: 'range',
  ioEngine: 'auto',
  queueDepth: 4,
  storageLanes: 16,
  agentsMinimum: 1,
  leaseMs: 10_000,
  settleTimeoutMs: 60_000,
  assign: 'dynamic',
  delayMs: 0,
  networkDurationMs: 10_000,
  networkBlockBytes: MiB,
  networkStreams: 1,
  networkDirection: 'both',
} as const;

/** What the reference page and the JSON Schema say of a key. */
export interface KeyDoc {
  /** What the key is for: sentences. */
  readonly meaning: string;
  /** What holds when the key is left out; absent for keys that must be there. */
  readonly default?: string;
  /** The key with a value, as it would be written in a plan. */
  readonly example: string;
}

/** What is said of each key; keyed by the schema that stands at the key. */
export const keyDocs = z.registry<KeyDoc>();

function key<T extends z.ZodType>(schema: T, doc: KeyDoc): T {
  const described = schema.meta({
    description: doc.default === undefined ? doc.meaning : `${doc.meaning} Default: ${doc.default}.`,
  });
  keyDocs.add(described, doc);
  return described;
}

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

const ioEngineKey = key(choice(ioEngines).optional(), {
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

const fileTarget = z.strictObject({
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
  shareTarget: key(choiceOrBoolean([]).optional(), {
    meaning:
      'Whether another run may use the target at the same time; both plans must say so. Without it a run that finds another one in the target is refused.',
    default: 'false',
    example: 'shareTarget: true',
  }),
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

const blockTarget = z.strictObject({
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

function errorCount() {
  return integer({ minimum: 0, maximum: maxErrors });
}

function errorDoc(attempt: string, kind: string): KeyDoc {
  return {
    meaning: `Failed attempts ${attempt} that each stage lets pass.`,
    default: 'upTo, or none where other kinds are named',
    example: `${kind}: 10`,
  };
}

/** A word for `upTo: 0`, and the limits by kind. */
const errorLimits = z
  .strictObject({
    upTo: key(errorCount().optional(), {
      meaning: 'I/O errors of all kinds together that each stage lets pass.',
      default: 'the sum of the kinds',
      example: 'upTo: 100',
    }),
    open: key(errorCount().optional(), errorDoc('to open or make a file or a folder', 'open')),
    read: key(errorCount().optional(), errorDoc('to read', 'read')),
    write: key(errorCount().optional(), errorDoc('to write', 'write')),
    sync: key(errorCount().optional(), errorDoc('to make durable; one loses all since the last good sync', 'sync')),
    delete: key(errorCount().optional(), errorDoc('to remove', 'delete')),
    full: key(errorCount().optional(), errorDoc('to write for want of space', 'full')),
    missing: key(errorCount().optional(), errorDoc('to read a file that is not there or too short', 'missing')),
  })
  .meta({ minProperties: 1 });

const delay = key(duration({ minimum: '0s', maximum: '24h' }).optional(), {
  meaning: 'Wait before the stage begins: lets caches drain, or a person act.',
  default: formatDuration(defaults.delayMs),
  example: 'delay: 30s',
});

/** One stage as it was typed. */
interface TypedStage {
  readonly kind: (typeof stageKinds)[number];
  /** In milliseconds. */
  readonly delay: number | undefined;
  readonly dropCaches?: boolean | 'auto';
  readonly network?: NetworkKeys;
}

const stageOptions = z.strictObject({ delay });

const networkOptions = z.strictObject({
  delay,
  duration: key(duration({ minimum: '100ms', maximum: '24h' }).optional(), {
    meaning: 'How long the agents send.',
    default: formatDuration(defaults.networkDurationMs),
    example: 'duration: 30s',
  }),
  pattern: key(choice(networkPatterns).optional(), {
    meaning:
      "all-to-all: each agent sends to every other. pairs: each agent sends to one, on another host where there is one. coordinator: each agent exchanges with the coordinator's host.",
    default: 'all-to-all; coordinator when there is one agent only',
    example: 'pattern: pairs',
  }),
  direction: key(choice(networkDirections).optional(), {
    meaning:
      "both: all send and receive at once. one-way: the first of each pair sends to the second, and agents send to the coordinator's host, which sends nothing.",
    default: defaults.networkDirection,
    example: 'direction: one-way',
  }),
  block: key(size({ minimum: 512, maximum: 64 * MiB }).optional(), {
    meaning: 'Bytes in a block, whose time to send is the latency that is shown.',
    default: formatSize(defaults.networkBlockBytes),
    example: 'block: 256KiB',
  }),
  streams: key(integer({ minimum: 1, maximum: 256 }).optional(), {
    meaning: 'Connections that each lane sends on, at least; more where there are more peers than lanes.',
    default: String(defaults.networkStreams),
    example: 'streams: 4',
  }),
});

const readingOptions = stageOptions.extend({
  dropCaches: key(choiceOrBoolean(['auto']).optional(), {
    meaning:
      "Empties every agent's page cache before the stage. true fails where an agent may not; auto goes on there, and says so.",
    default: String(defaults.dropCaches),
    example: 'dropCaches: auto',
  }),
});

const stage = z
  .strictObject({
    write: key(stageOptions.optional(), {
      meaning: 'Writes every unit. A second write stage over the same data writes the next generation of it.',
      example: '- write: {}',
    }),
    read: key(readingOptions.optional(), {
      meaning: 'Reads every unit and looks at none of the bytes: how fast the storage reads.',
      example: '- read: {}',
    }),
    verify: key(readingOptions.optional(), {
      meaning: 'Reads every unit and compares every byte with what was written.',
      example: '- verify: { delay: 30s }',
    }),
    generate: key(stageOptions.optional(), {
      meaning: 'Makes every unit and sends it nowhere: how fast the generators are. Needs no data on the target.',
      example: '- generate: {}',
    }),
    network: key(networkOptions.optional(), {
      meaning:
        'Sends bytes between the agents, or to the coordinator: what the network alone carries, from the same lanes and buffers as for storage. Needs no data on the target.',
      example: '- network: { pattern: pairs, duration: 30s }',
    }),
    delete: key(stageOptions.optional(), {
      meaning: 'Removes what the run wrote.',
      example: '- delete: {}',
    }),
  })
  .meta({ minProperties: 1, maxProperties: 1 })
  .transform((item, context): TypedStage => {
    const [kind, ...more] = stageKinds.filter((each) => item[each] !== undefined);
    if (kind === undefined || more.length > 0) {
      const message = kind === undefined ? 'names no stage' : `names ${1 + more.length} stages`;
      const mend = 'write one stage in each item of the list, such as - write: {}';
      context.issues.push({ code: 'custom', message, input: item, params: { mend } });
      return z.NEVER;
    }
    const options = item[kind];
    const dropCaches = options !== undefined && 'dropCaches' in options ? options.dropCaches : undefined;
    return {
      kind,
      delay: options?.delay,
      ...(dropCaches === undefined ? {} : { dropCaches }),
      ...(item.network === undefined ? {} : { network: item.network }),
    };
  });
type NetworkKeys = z.output<typeof networkOptions>;

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
  target: key(z.discriminatedUnion('kind', [nullTarget, memoryTarget, fileTarget, blockTarget]), {
    meaning: 'Where it is written to.',
    example: 'target: { kind: file, path: /mnt/scratch }',
  }),
  load: key(
    z
      .strictObject({
        lanesPerAgent: key(integer({ minimum: 1, maximum: 4096 }).optional(), {
          meaning: 'The most lanes (pinned native threads) that each agent uses.',
          default: `${defaults.storageLanes} for stages that go to storage, else all that the agent has: one per core`,
          example: 'lanesPerAgent: 16',
        }),
        queueDepth: key(integer({ minimum: 1, maximum: 1024 }).optional(), {
          meaning:
            'Blocks that each lane keeps in flight, of storage that does not answer at once; block × queueDepth is at most 1 GiB.',
          default: String(defaults.queueDepth),
          example: 'queueDepth: 32',
        }),
      })
      .optional(),
    {
      meaning: 'How hard the agents push.',
      default: 'modest: the defaults of its keys',
      example: 'load: { lanesPerAgent: 16, queueDepth: 8 }',
    },
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
  errors: key(
    z
      .preprocess((given) => (given === 'stop' ? { upTo: '0' } : given), errorLimits)
      // What a pattern says holds for texts alone.
      .meta({ type: ['object', 'string'] as never, pattern: '^stop$' })
      .optional(),
    {
      meaning:
        'stop, or how many I/O errors a stage lets pass, over all agents: the units of the failed I/O count as failed, are not done and not verified later, and the stage goes on. One more ends it. Not for verification: what is corrupt is always found and never ends a stage.',
      default: 'stop: the first I/O error ends the stage',
      example: 'errors: { read: 100, missing: 0 }',
    },
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
/** A block target as it was typed. */
export type PlanBlockTarget = Extract<PlanTarget, { kind: 'block' }>;
/** One stage as it was typed; `delay` in milliseconds. */
export type PlanStage = Plan['stages'][number];
/** Whether every agent sees the same files, or each host its own. */
export type Scope = (typeof scopes)[number];
/** The name of a stage. */
export type StageKind = (typeof stageKinds)[number];
/** A kind of I/O error. */
export type ErrorKind = (typeof errorKinds)[number];
/** Who sends to whom in a network stage. */
export type NetworkPattern = (typeof networkPatterns)[number];
/** Which way the bytes of a network stage go. */
export type NetworkDirection = (typeof networkDirections)[number];
/** When written data is made durable. */
export type SyncMode = (typeof syncModes)[number];
/** Which way the I/O of files goes. */
export type IoEngine = (typeof ioEngines)[number];
/** What a compression ratio is aimed at. */
export type Codec = (typeof codecs)[number];
