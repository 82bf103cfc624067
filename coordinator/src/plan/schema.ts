/**
 * The one schema of a plan: its types, its validation, the JSON Schema for editors and the reference page are all
 * made from it. It looks at values one by one; what depends on several keys is in checks.ts, and every default is
 * filled in by resolve.ts. Its larger parts have files of their own, schema-*.ts.
 */
import { z } from 'zod';
import {
  type codecs,
  defaults,
  type errorKinds,
  type ioEngines,
  maxRounds,
  maxStages,
  type mixedOrders,
  type networkDirections,
  type networkPatterns,
  type scopes,
  type stageKinds,
  type syncModes,
} from './choices.js';
import { key } from './key-docs.js';
import { choice, choiceOrBoolean, duration, integer, seed, size, text } from './leaf.js';
import { blockTarget } from './schema-block.js';
import { data } from './schema-data.js';
import { errorLimits } from './schema-errors.js';
import { fileTarget } from './schema-file.js';
import { s3Target } from './schema-s3.js';
import { stage } from './schema-stages.js';
import { sweep } from './schema-sweep.js';
import { formatDuration } from './units.js';

const TiB = 1024 ** 4;

const needed = 'needed, unless the stages are about an earlier run, whose record says it';

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
  data: key(data.optional(), {
    meaning: 'What is written.',
    default: needed,
    example: 'data: { size: 4GiB }',
  }),
  target: key(z.discriminatedUnion('kind', [nullTarget, memoryTarget, fileTarget, blockTarget, s3Target]).optional(), {
    meaning: 'Where it is written to.',
    default: needed,
    example: 'target: { kind: file, path: /mnt/scratch }',
  }),
  headroom: key(choiceOrBoolean([]).optional(), {
    meaning:
      'Whether each agent measures, for a fifth of a second before the first stage that needs it, how fast its lanes make and compare such data without storage: the result says by how much that is above what the storage did.',
    default: String(defaults.headroom),
    example: 'headroom: false',
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
  repeat: key(integer({ minimum: 1, maximum: maxRounds }).optional(), {
    meaning:
      'How often the stages are done, one round after the other. The result then has the median, the least, the greatest and the spread of each stage.',
    default: 'once',
    example: 'repeat: 5',
  }),
  sweep: key(sweep.optional(), {
    meaning: `Does the stages for each combination of these values, at most ${maxRounds} times in all, and makes a table of them with the knee of each stage.`,
    default: 'none',
    example: 'sweep: { queueDepth: [1, 8, 64], knee: p99 < 5ms }',
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
type TypedPlan = z.output<typeof planSchema>;
/** A plan that makes its data. */
export type Plan = Omit<TypedPlan, 'data' | 'target'> & {
  readonly data: NonNullable<TypedPlan['data']>;
  readonly target: NonNullable<TypedPlan['target']>;
};
/** A plan about the data of an earlier run: what it is and where comes from that run's record. */
export type RevisitPlan = Omit<TypedPlan, 'data' | 'target' | 'seed' | 'namespace' | 'sweep'> & {
  /** The earlier run. */
  readonly revisits: string;
};
/** Data of a size that the plan says. */
export type SizedData = Plan['data'] & { readonly size: bigint };
/** Whether the plan says the size of the data; with a tree of files it does not. */
export function isSized(data: Plan['data']): data is SizedData {
  return data.size !== undefined;
}
/** A plan's target as it was typed. */
export type PlanTarget = Plan['target'];
/** A file target as it was typed. */
export type PlanFileTarget = Extract<PlanTarget, { kind: 'file' }>;
/** A block target as it was typed. */
export type PlanBlockTarget = Extract<PlanTarget, { kind: 'block' }>;
/** An S3 target as it was typed. */
export type PlanS3Target = Extract<PlanTarget, { kind: 's3' }>;
/** One stage as it was typed; `delay` in milliseconds. */
export type PlanStage = Plan['stages'][number];
/** Whether every agent sees the same files, or each host its own. */
export type Scope = (typeof scopes)[number];
/** The name of a stage. */
export type StageKind = (typeof stageKinds)[number];
/** A kind of I/O error. */
export type ErrorKind = (typeof errorKinds)[number];
/** Which blocks the operations of a mixed stage go to. */
export type MixedOrder = (typeof mixedOrders)[number];
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
