import { isSeedstormError } from '@seedstorm/errors';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { describePlan } from './describe.js';
import { geometryOf } from './geometry.js';
import { parsePlan } from './parse.js';
import { resolvePlan } from './resolve.js';

const context = { runId: 'run', randomSeed: 1n, defaultWindowBits: () => 4, planFolder: '/' };
const plan = (mixed: string, target = 'kind: file, path: /t', data = 'size: 1GiB') =>
  `data: { ${data} }\ntarget: { ${target} }\nstages: [{ write: {} }, { mixed: { ${mixed} } }, { verify: {} }]`;
const resolved = (text: string) => resolvePlan(parsePlan(text, 'plan.yaml'), context);

function problem(text: string): string {
  try {
    parsePlan(text, 'plan.yaml');
  } catch (error) {
    if (isSeedstormError(error)) return error.what;
    throw error;
  }
  return '';
}

describe('a mixed stage of a plan', () => {
  test('does as many operations as the data has blocks, 70 of 100 of them reads, where nothing is said', () => {
    const { stages, shardUnits } = resolved(plan(''));
    expect(shardUnits).toBe(16);
    expect(stages[1]).toMatchObject({
      kind: 'mixed',
      generation: 0,
      mix: {
        writesOf65536: 19_661,
        blockBytes: 4096,
        order: 'random',
        strideBlocks: 0,
        thetaMilli: 0,
        operations: 262_144,
      },
    });
  });

  test('goes in rounds when it goes by time, and an amount is that of a round', () => {
    expect(resolved(plan('duration: 10s')).stages[1]).toMatchObject({
      durationMs: 10_000,
      mix: { operations: 16_384 },
    });
    expect(resolved(plan('duration: 10s, amount: 8KiB')).stages[1]).toMatchObject({ mix: { operations: 2 } });
  });

  test('weights that are given leave those that are not at nothing', () => {
    expect(resolved(plan('write: 3')).stages[1]).toMatchObject({ mix: { writesOf65536: 65_536 } });
    expect(resolved(plan('read: 1, write: 3')).stages[1]).toMatchObject({ mix: { writesOf65536: 49_152 } });
  });

  test('is told in a line before anything is done', () => {
    const of = (mixed: string): string =>
      describePlan(resolved(plan(mixed))).find((line) => line.includes('mixed')) ?? '';
    expect(of('read: 1, write: 1, order: zipfian, block: 16KiB')).toContain(
      'mixed, 50% reads and 50% writes of 16KiB, zipfian with theta 0.99, 65,536 operations',
    );
    expect(of('order: strided, stride: 1MiB, duration: 5s')).toContain(
      'strided by 1MiB, 16,384 operations a round, for 5s',
    );
  });

  test.each([
    ['read: 0', 'no operation has a weight'],
    ['block: 5000', 'not a multiple'],
    ['block: 12KiB', 'neither divides the unit'],
    ['stride: 64KiB', 'an order that is random has no stride'],
    ['order: strided, stride: 12KiB, block: 8KiB', 'no whole number of blocks'],
    ['order: zipfian, theta: 5', 'out of range'],
    ['theta: 0.5', 'an order that is random has no theta'],
    ['block: 2MiB, order: sideways', 'not one of'],
  ])('%s is refused: %s', (mixed, why) => {
    expect(problem(plan(mixed))).toContain(why);
  });

  test('is refused where nothing can be overwritten', () => {
    expect(problem(plan('', 'kind: s3, bucket: bucket, endpoint: http://127.0.0.1:9000'))).toContain(
      'written as a whole',
    );
    expect(problem(plan('', 'kind: "null"'))).toContain('keeps nothing');
    expect(problem('data: { size: 1GiB }\ntarget: { kind: file, path: /t }\nstages: [{ mixed: {} }]')).toContain(
      'nothing was written before it',
    );
    expect(problem(plan('block: 64MiB', 'kind: file, path: /t', 'size: 32MiB'))).toContain('more than all of the data');
  });

  test('a lease with more shards than a message can tell of is refused', () => {
    expect(problem(plan('', 'kind: file, path: /t, files: { count: 2 }', 'size: 100PiB'))).toContain('shards');
  });

  test('shards are whole units and whole blocks, short, and leases never cut one', () => {
    const sizes = ['4KiB', '64KiB', '1MiB', '3MiB', '128MiB'];
    const blocks = ['4KiB', '16KiB', '1MiB', '8MiB'];
    fc.assert(
      fc.property(
        fc.constantFrom(...sizes),
        fc.constantFrom(...blocks),
        fc.constantFrom(
          '',
          'files: { count: 1 }',
          'files: { count: 7 }',
          'files: { count: 1 }, align: 48MiB',
          'files: { count: 3 }, align: 1MiB',
        ),
        fc.integer({ min: 1, max: 40_000 }),
        (unit, block, files, MiBs) => {
          const target = `kind: file, path: /t${files === '' ? '' : `, ${files}`}`;
          const text = plan(`block: ${block}`, target, `size: ${MiBs}MiB, unit: ${unit}`);
          if (problem(text) !== '') return;
          const typed = parsePlan(text, 'plan.yaml');
          const { layout, grainUnits, leaseUnits, shardUnits = 0 } = geometryOf(typed);
          const { unitBytes, unitsPerObject, objects } = layout;
          expect(shardUnits).toBeGreaterThan(0);
          const blockBytes = typed.stages[1]?.mixed?.block ?? 0;
          expect((shardUnits * unitBytes) % blockBytes).toBe(0);
          expect(shardUnits * unitBytes).toBeLessThanOrEqual(
            Math.max(64 * 1024 ** 2, 8 * 1024 ** 2, 3 * unitBytes * 8),
          );
          expect(leaseUnits % grainUnits).toBe(0);
          // A lease ends with an object, or on a shard of it.
          if (grainUnits !== unitsPerObject || objects === 1)
            expect(grainUnits >= unitsPerObject || grainUnits % shardUnits === 0).toBe(true);
        },
      ),
    );
  });
});
