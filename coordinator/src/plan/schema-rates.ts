/** The keys by which a stage keeps a rate. A part of schema-stages.ts. */
import type { z } from 'zod';
import { arrivals, defaults } from './choices.js';
import { key } from './key-docs.js';
import { choice, rateOrSwept } from './leaf.js';

/** The keys of a stage that can keep a rate. */
export const rateKeys = {
  rate: key(rateOrSwept().optional(), {
    meaning:
      'Operations or bytes a second, of all agents together. Operations begin at their instants and not earlier, whether or not the storage keeps up; the result has their times from these instants, beside the time that the storage took. sweep: each of the rates of the sweep in turn.',
    default: 'as fast as the storage takes it',
    example: 'rate: 20000/s',
  }),
  arrivals: key(choice(arrivals).optional(), {
    meaning:
      'How the instants of operations lie: evenly, or at random as those of many clients that know nothing of each other.',
    default: defaults.arrivals,
    example: 'arrivals: poisson',
  }),
};

/** These keys as they were typed. */
export type RateKeys = { readonly [K in keyof typeof rateKeys]?: z.output<(typeof rateKeys)[K]> };
