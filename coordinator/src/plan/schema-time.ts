/** The keys by which a stage goes by time: how long, from when it counts, until it is stable. A part of schema-stages.ts. */
import { z } from 'zod';
import { defaults } from './choices.js';
import { key } from './key-docs.js';
import { duration, percent } from './leaf.js';
import { formatDuration } from './units.js';

/** The longest that a stage may go on by time. */
const longest = '168h';

/** See the head. */
export const timeKeys = {
  duration: key(duration({ minimum: '100ms', maximum: longest }).optional(), {
    meaning:
      'How long the stage goes on. Reading, verifying, mixing and generating begin the next pass at once when they are through; a write ends before, when all is written.',
    default: 'until every unit is done, once',
    example: 'duration: 30s',
  }),
  ramp: key(duration({ minimum: '0s', maximum: '24h' }).optional(), {
    meaning:
      'What begins in this time from the start is done and not counted: throughput, operations and latency are of what begins after it.',
    default: 'none: all counts',
    example: 'ramp: 5s',
  }),
  until: key(
    z
      .strictObject({
        stable: key(percent({ maximum: 100 }), {
          meaning:
            'The stage ends as soon as the throughput of its seconds varies by no more than this over the window: standard deviation over mean.',
          example: 'stable: 2%',
        }),
        window: key(duration({ minimum: '3s', maximum: '1h' }).optional(), {
          meaning: 'How many of the last seconds are looked at; whole seconds.',
          default: formatDuration(defaults.stableWindowMs),
          example: 'window: 10s',
        }),
        atMost: key(duration({ minimum: '3s', maximum: longest }).optional(), {
          meaning: 'When the stage ends without having become stable, which the result then says.',
          default: formatDuration(defaults.stableAtMostMs),
          example: 'atMost: 10m',
        }),
      })
      .optional(),
    {
      meaning: 'The stage goes on as by duration, until its throughput is stable.',
      default: 'by duration, or until every unit is done',
      example: 'until: { stable: 2%, window: 10s, atMost: 10m }',
    },
  ),
};

/** The keys as they were typed: durations in milliseconds, the variation as a part of 1. */
export type TimeKeys = z.output<z.ZodObject<typeof timeKeys>>;
