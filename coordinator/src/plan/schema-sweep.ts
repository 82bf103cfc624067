/** The key `sweep`: what is tried in every combination. A part of schema.ts. */
import { z } from 'zod';
import { maxRounds } from './choices.js';
import { key } from './key-docs.js';
import { integer, type Leaf, rate, size, text } from './leaf.js';

const MiB = 1024 ** 2;

/** A percentile and what it must stay below. */
export interface Knee {
  readonly percentile: (typeof percentiles)[number];
  readonly belowNs: number;
}

const percentiles = ['p50', 'p90', 'p99', 'p99.9', 'max'] as const;
const nsOf: Readonly<Record<string, number>> = { us: 1e3, ms: 1e6, s: 1e9 };
const kneePattern = '^(p50|p90|p99|p99\\.9|max) ?< ?[0-9]{1,9}(\\.[0-9]{1,3})? ?(us|ms|s)$';

/** The knee that a text asks for; undefined when it is none. */
export function parseKnee(typed: string): Knee | undefined {
  if (!new RegExp(kneePattern, 'u').test(typed)) return undefined;
  const [name, limit] = typed.split('<').map((part) => part.trim());
  const percentile = percentiles.find((each) => each === name);
  const [, amount, unit = ''] = /^([0-9.]+) ?([a-z]+)$/u.exec(limit ?? '') ?? [];
  const belowNs = Math.round(Number(amount) * (nsOf[unit] ?? Number.NaN));
  return percentile !== undefined && belowNs > 0 ? { percentile, belowNs } : undefined;
}

const list = <T>(of: Leaf<T>) => z.array(of).min(1).max(maxRounds).optional();

/** See the head. */
export const sweep = z.strictObject({
  agents: key(list(integer({ minimum: 1, maximum: 10_000 })), {
    meaning: 'How many agents take part: the first that joined. The others are idle.',
    default: 'all that joined',
    example: 'agents: [1, 2, 4]',
  }),
  lanesPerAgent: key(list(integer({ minimum: 1, maximum: 4096 })), {
    meaning: 'Lanes of each agent, instead of load.lanesPerAgent.',
    default: 'as load says',
    example: 'lanesPerAgent: [1, 4, 16]',
  }),
  queueDepth: key(list(integer({ minimum: 1, maximum: 1024 })), {
    meaning: 'Blocks in flight of each lane, instead of load.queueDepth.',
    default: 'as load says',
    example: 'queueDepth: [1, 8, 64]',
  }),
  block: key(list(size({ minimum: 512, maximum: 64 * MiB })), {
    meaning: 'Bytes in an I/O, instead of target.io.block.',
    default: 'as target.io says',
    example: 'block: [4KiB, 64KiB, 1MiB]',
  }),
  rate: key(list(rate()), {
    meaning: 'Operations or bytes a second of all agents together, in the stages that say rate: sweep.',
    default: 'as each stage says',
    example: 'rate: [5000/s, 10000/s, 20000/s]',
  }),
  knee: key(
    text({
      takes: 'a percentile, <, and a time',
      hint: 'write p50, p90, p99, p99.9 or max, then <, then a time such as 5ms or 800us',
      pattern: kneePattern,
      fault: (typed) => (parseKnee(typed) === undefined ? 'is no percentile with a limit' : undefined),
    }).optional(),
    {
      meaning:
        'What latency must stay below at the knee: the point of the highest throughput that does. Under a rate it is the response time, from the instants at which operations were to begin, and the rate must be kept.',
      default: 'none: the point of the highest throughput',
      example: 'knee: p99 < 5ms',
    },
  ),
});

/** The sweep as it was typed. */
export type Sweep = z.output<typeof sweep>;
