import type { LeaseProgress } from '@seedstorm/proto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ResolvedMix } from '../plan/index.js';
import { MixedHistory, type MixedLayer } from './mixed-history.js';

const mix = (changes: Partial<ResolvedMix> = {}): ResolvedMix => ({
  writesOf65536: 20_000,
  blockBytes: 4096,
  order: 'random',
  strideBlocks: 0,
  thetaMilli: 0,
  operations: 1000,
  ...changes,
});

/** Two objects of ten units, each in shards of 4, 4 and 2. */
const history = (): MixedHistory => new MixedHistory({ units: 20, unitsPerObject: 10, shardUnits: 4 });
const all = { id: 1, first: 0, end: 20 };

function progress(shards: readonly [bigint, bigint][], changes: Partial<LeaseProgress> = {}): LeaseProgress {
  const nothing = { leaseId: 1n, epoch: 1n, done: [], written: [], failed: [], error: undefined };
  const told = shards.map(([done, reserved]) => ({ done, reserved }));
  return { ...nothing, complete: false, ended: false, shards: told, ...changes };
}

describe('what is known of overwritten blocks', () => {
  test('all operations are shared out over the shards by their size, to the last', () => {
    fc.assert(
      fc.property(
        fc.nat(1e9),
        fc.integer({ min: 1, max: 500 }),
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 70 }),
        (operations, units, unitsPerObject, shardUnits) => {
          const known = new MixedHistory({ units, unitsPerObject, shardUnits });
          const layer = known.begin(mix({ operations }));
          const shards = known.grant({ id: 1, first: 0, end: units }, layer, 0);
          expect(shards.reduce((sum, shard) => sum + shard.operations, 0n)).toBe(BigInt(operations));
        },
      ),
    );
  });

  test('a lease is told of its own shards and no others, and who goes on begins where the one before was', () => {
    const known = history();
    const layer = known.begin(mix({ operations: 100_000 }));
    expect(known.grant(all, layer, 0)).toHaveLength(6);
    const [first] = known.grant({ id: 1, first: 0, end: 4 }, layer, 0);
    expect(first).toMatchObject({ layers: [], done: 0n, reserved: 4096n, limit: 4096n, operations: 20_000n });
    known.report({ id: 1, first: 0, end: 4 }, layer, progress([[4000n, 9000n]]), false);
    const [second] = known.grant({ id: 1, first: 0, end: 4 }, layer, 0);
    expect(second).toMatchObject({ done: 4000n, reserved: 9000n, limit: 9000n });
    expect(known.grant({ id: 1, first: 4, end: 8 }, layer, 1)).toMatchObject([{ done: 0n, operations: 40_000n }]);
  });

  test('what a holder that was fenced did does not count, but what it may have begun is in doubt', () => {
    const known = history();
    const layer = known.begin(mix({ operations: 100_000 }));
    known.grant({ id: 1, first: 0, end: 4 }, layer, 0);
    known.report({ id: 1, first: 0, end: 4 }, layer, progress([[100n, 6000n]]), true);
    expect([layer.done[0], layer.reserved[0]]).toEqual([0, 6000]);
    known.report({ id: 1, first: 0, end: 4 }, layer, progress([[200n, 200n]], { ended: true }), false);
    expect([layer.done[0], layer.reserved[0]]).toEqual([200, 200]);
  });

  test('one that says late that it has ended takes nothing from who goes on', () => {
    const known = history();
    const layer = known.begin(mix({ operations: 160 }));
    const units = { first: 0, end: 4 };
    known.grant({ id: 1, ...units }, layer, 0);
    known.report({ id: 1, ...units }, layer, progress([[32n, 32n]]), false);
    known.grant({ id: 2, ...units }, layer, 1);
    known.report({ id: 2, ...units }, layer, progress([[40n, 64n]]), false);
    known.report({ id: 1, ...units }, layer, progress([[32n, 32n]], { ended: true }), false);
    expect([layer.done[0], layer.reserved[0]]).toEqual([40, 64]);
  });

  test('a later stage is told of what may be in doubt, until all is written again', () => {
    const known = history();
    expect(known.shards(undefined)).toBeUndefined();
    const layer = known.begin(mix());
    known.grant(all, layer, 0);
    known.report(
      all,
      layer,
      progress([
        [1n, 5n],
        [2n, 2n],
        [0n, 0n],
        [0n, 0n],
        [0n, 0n],
        [0n, 0n],
      ]),
      false,
    );
    const later = known.shards(undefined);
    expect(later?.overwrites.layers).toMatchObject([{ rewritten: false, pattern: { stage: 0, blockBytes: 4096n } }]);
    expect(later?.grant({ id: 1, first: 0, end: 8 }, 0).map(({ layers }) => layers)).toEqual([
      [1n, 200n],
      [2n, 200n],
    ]);
    expect(layer.operationsInDoubt).toBeGreaterThan(0);
    known.rewritten();
    expect(known.shards(undefined)).toBeUndefined();
    const next = known.begin(mix());
    expect(known.overwrites(next).layers).toMatchObject([{ rewritten: true }]);
    expect(next.pattern.stage).toBe(1);
    known.deleted();
    expect(known.hasOverwrites).toBe(false);
  });

  test('a mixed stage that only reads overwrites nothing', () => {
    const known = history();
    known.begin(mix({ writesOf65536: 0 }));
    expect(known.hasOverwrites).toBe(false);
  });

  test('units that failed in a mixed stage are known to nobody until all is written again', () => {
    const known = history();
    known.begin(mix()).failed.push({ first: 4, end: 8 });
    expect(known.failed).toEqual([{ first: 4, end: 8 }]);
    known.rewritten();
    expect(known.failed).toEqual([]);
  });

  test('whatever an agent tells, nothing counts as done that it was not allowed to begin', () => {
    const number = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    const shards = fc.array(fc.tuple(fc.oneof(fc.bigInt(0n, 6000n), number), fc.oneof(fc.bigInt(0n, 6000n), number)));
    fc.assert(
      fc.property(shards, fc.boolean(), fc.boolean(), (told, ended, isFenced) => {
        const known = history();
        const layer: MixedLayer = known.begin(mix({ operations: 100_000 }));
        known.grant(all, layer, 0);
        const before = [...layer.done];
        try {
          known.report(all, layer, progress(told, { ended }), isFenced);
        } catch (error) {
          expect(error).toMatchObject({ code: 'SEEDSTORM_E_MESSAGE_INVALID' });
          expect([...layer.done]).toEqual(before);
        }
        for (const [shard, done] of layer.done.entries()) {
          expect(done).toBeLessThanOrEqual(4096);
          expect(done).toBeLessThanOrEqual(layer.reserved[shard] ?? 0);
          expect(layer.reserved[shard]).toBeLessThanOrEqual(2 ** 33);
        }
      }),
    );
  });
});
