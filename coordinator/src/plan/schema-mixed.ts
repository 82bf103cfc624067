/** The keys of a `mixed` stage. A part of schema.ts, which says how plans are looked at. */
import type { z } from 'zod';
import { defaults, mixedOrders } from './choices.js';
import { key } from './key-docs.js';
import { choice, decimal, integer, largeSize, size } from './leaf.js';
import { formatSize } from './units.js';

const MiB = 1024 ** 2;
/** The grain of generations in the content: what is overwritten is a whole number of it. */
const cellBytes = 4096;

/** What `mixed` takes beside what every stage takes. */
export const mixedKeys = {
  read: key(integer({ minimum: 0, maximum: 1_000_000 }).optional(), {
    meaning: 'Weight of reads among the operations. Each read is verified.',
    default: `${defaults.mixedReads} where write is left out too, else 0`,
    example: 'read: 70',
  }),
  write: key(integer({ minimum: 0, maximum: 1_000_000 }).optional(), {
    meaning: 'Weight of writes among the operations. Each writes the next generation of its block.',
    default: `${defaults.mixedWrites} where read is left out too, else 0`,
    example: 'write: 30',
  }),
  block: key(size({ minimum: cellBytes, maximum: 64 * MiB, multiple: cellBytes }).optional(), {
    meaning: 'Bytes of each operation: a part or a multiple of the unit.',
    default: formatSize(defaults.mixedBlockBytes),
    example: 'block: 16KiB',
  }),
  order: key(choice(mixedOrders).optional(), {
    meaning:
      'Which blocks the operations on each shard of the data go to. sequential: one after the other. random: each as likely, at each operation anew. strided: every so manieth, then those behind them. zipfian: some far more often than others.',
    default: defaults.mixedOrder,
    example: 'order: zipfian',
  }),
  stride: key(size({ minimum: cellBytes, maximum: 64 * MiB, multiple: cellBytes }).optional(), {
    meaning: 'From one operation to the next in a strided order: a multiple of the block.',
    default: `${defaults.mixedStrideBlocks} blocks`,
    example: 'stride: 1MiB',
  }),
  theta: key(decimal({ minimum: 0.01, maximum: 4 }).optional(), {
    meaning: 'How uneven a zipfian order is: the kth most frequent block has a share as 1/k^theta.',
    default: String(defaults.mixedThetaMilli / 1000),
    example: 'theta: 1.2',
  }),
  amount: key(largeSize().optional(), {
    meaning:
      'Bytes of all operations together, shared out over the data by its size. With a duration: of each round, which is followed by another until the time is over.',
    default: `the size of the data; with a duration 1/${defaults.mixedRounds} of it`,
    example: 'amount: 100GiB',
  }),
};

/** The keys of a mixed stage as they were typed. */
export type MixedKeys = { readonly [K in keyof typeof mixedKeys]?: z.output<(typeof mixedKeys)[K]> };
