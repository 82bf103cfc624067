/** The keys of `stages`. A part of schema.ts, which says how plans are looked at. */
import { z } from 'zod';
import { type arrivals, defaults, networkDirections, networkPatterns, renameTargets, stageKinds } from './choices.js';
import { key } from './key-docs.js';
import { choice, choiceOrBoolean, duration, integer, size, text } from './leaf.js';
import { type MixedKeys, mixedKeys } from './schema-mixed.js';
import { type RateKeys, rateKeys } from './schema-rates.js';
import { type TimeKeys, timeKeys } from './schema-time.js';
import { formatDuration, formatSize, type Rate } from './units.js';

const MiB = 1024 ** 2;

/** What run ids look like. */
export const runIdPattern = /^[0-9]{8}-[0-9]{6}-[0-9a-f]{8}$/u;

const delay = key(duration({ minimum: '0s', maximum: '24h' }).optional(), {
  meaning: 'Wait before the stage begins: lets caches drain, or a person act.',
  default: formatDuration(defaults.delayMs),
  example: 'delay: 30s',
});

const earlierRun = key(
  text({
    takes: 'a run id',
    hint: 'write the id that the run had, such as 20261123-092613-bfd954bf; `seedstorm runs` lists those that are known',
    pattern: runIdPattern.source,
    fault: (id) => (runIdPattern.test(id) ? undefined : 'is not a run id'),
  }).optional(),
  {
    meaning:
      "An earlier run: the stage is about that run's data, from that run's record. The plan then has neither data nor target, and all of its stages are about the same run.",
    default: "the plan's own data",
    example: 'run: 20261123-092613-bfd954bf',
  },
);

/** One stage as it was typed. */
export interface TypedStage {
  readonly kind: (typeof stageKinds)[number];
  /** In milliseconds. */
  readonly delay: number | undefined;
  readonly time?: TimeKeys;
  readonly dropCaches?: boolean | 'auto';
  readonly network?: NetworkKeys;
  readonly rate?: Rate | 'sweep';
  readonly arrivals?: (typeof arrivals)[number];
  readonly mixed?: MixedKeys;
  readonly rename?: RenameKeys;
  /** The earlier run that it is about. */
  readonly run?: string;
}

const stageOptions = z.strictObject({ delay });

/** What a stage has that may keep a rate. */
const pacedOptions = stageOptions.extend(rateKeys);

/** What a stage has that may go by time, and keep a rate. */
const timedOptions = stageOptions.extend({ ...timeKeys, ...rateKeys });

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

const renameOptions = pacedOptions.extend({
  into: key(choice(renameTargets).optional(), {
    meaning:
      'same: each file gets another name in its directory. next: all files of each directory move on to the next directory, with another name.',
    default: defaults.renameInto,
    example: 'into: next',
  }),
});

const readingOptions = timedOptions.extend({
  dropCaches: key(choiceOrBoolean(['auto']).optional(), {
    meaning:
      "Empties every agent's page cache before the stage. true fails where an agent may not; auto goes on there, and says so.",
    default: String(defaults.dropCaches),
    example: 'dropCaches: auto',
  }),
});

const mixedOptions = timedOptions.extend(mixedKeys);

/** What a stage has that may be about the data of an earlier run. */
const revisitingOptions = readingOptions.extend({ run: earlierRun });

/** One stage, as it is typed. */
export const stage = z
  .strictObject({
    write: key(timedOptions.optional(), {
      meaning: 'Writes every unit. A second write stage over the same data writes the next generation of it.',
      example: '- write: {}',
    }),
    read: key(revisitingOptions.optional(), {
      meaning: 'Reads every unit and looks at none of the bytes: how fast the storage reads.',
      example: '- read: {}',
    }),
    verify: key(revisitingOptions.optional(), {
      meaning: 'Reads every unit and compares every byte with what was written.',
      example: '- verify: { delay: 30s }',
    }),
    mixed: key(mixedOptions.optional(), {
      meaning:
        'Reads and overwrites single blocks, each shard of the data in an order of its own. What is read is verified against what the block must hold by then, and so it is in later stages.',
      example: '- mixed: { read: 70, write: 30, block: 4KiB, order: random, duration: 5m }',
    }),
    generate: key(timedOptions.optional(), {
      meaning: 'Makes every unit and sends it nowhere: how fast the generators are. Needs no data on the target.',
      example: '- generate: {}',
    }),
    network: key(networkOptions.optional(), {
      meaning:
        'Sends bytes between the agents, or to the coordinator: what the network alone carries, from the same lanes and buffers as for storage. Needs no data on the target.',
      example: '- network: { pattern: pairs, duration: 30s }',
    }),
    stat: key(readingOptions.optional(), {
      meaning:
        'Asks for the size of every file by its name. A file that is not there, or not as long as it must be, is a fault as verify would find it. Not for block, memory and null targets.',
      example: '- stat: {}',
    }),
    list: key(readingOptions.omit({ rate: true, arrivals: true }).optional(), {
      meaning:
        "Reads the run's folders whole and compares the names in them with those that must be there: what is missing is a fault; what is not the run's own is counted and told. Its operations are names, its latency is that of one call for names. Not for block, memory and null targets.",
      example: '- list: {}',
    }),
    mkdir: key(pacedOptions.optional(), {
      meaning: 'Makes all directories of target.tree.',
      example: '- mkdir: {}',
    }),
    create: key(pacedOptions.optional(), {
      meaning: 'Creates all files of target.tree, and writes their bytes.',
      example: '- create: {}',
    }),
    rename: key(renameOptions.optional(), {
      meaning: 'Renames every file of target.tree; later stages know it by its new name.',
      example: '- rename: { into: next }',
    }),
    delete: key(stageOptions.extend({ run: earlierRun }).optional(), {
      meaning: 'Removes what the run wrote. The data of an earlier run is only ever removed by a stage that names it.',
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
    const { dropCaches, rate, arrivals: lie, run, ...time } = (options ?? {}) as SomeKeys;
    // How long a network stage lasts is among its own keys.
    const { duration, ramp, until } = kind === 'network' ? ({} as SomeKeys) : time;
    const byTime = duration !== undefined || ramp !== undefined || until !== undefined;
    return {
      kind,
      delay: options?.delay,
      ...(byTime ? { time: { duration, ramp, until } } : {}),
      ...(rate === undefined ? {} : { rate }),
      ...(lie === undefined ? {} : { arrivals: lie }),
      ...(dropCaches === undefined ? {} : { dropCaches }),
      ...(item.network === undefined ? {} : { network: item.network }),
      ...(item.mixed === undefined ? {} : { mixed: item.mixed }),
      ...(item.rename === undefined ? {} : { rename: item.rename }),
      ...(run === undefined ? {} : { run }),
    };
  });

/** The keys that stages of some kinds have. */
type SomeKeys = Partial<TimeKeys> & RateKeys & Pick<TypedStage, 'dropCaches' | 'run'>;
type NetworkKeys = z.output<typeof networkOptions>;
type RenameKeys = z.output<typeof renameOptions>;
