import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { geometryOf, largestBlock } from './geometry.js';
import { parsePlan } from './parse.js';

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;

function geometry(size: string, target: string, unit = '1MiB') {
  return geometryOf(
    parsePlan(`data: { size: ${size}, unit: ${unit} }\ntarget: { ${target} }\nstages: [{ write: {} }]`, 'plan.yaml'),
  );
}

const file = 'kind: file, path: /t';

describe('how data is cut', () => {
  test.each([
    ['4GiB', 64, 64],
    ['64MiB', 64, 1],
    ['10TiB', 10240, 1024],
    ['100MiB', 100, 1],
    ['1MiB', 1, 1],
    ['1', 1, 1],
  ])(
    '%s without a word about files is %i files of %i units: enough to share out, none too large',
    (size, objects, units) => {
      expect(geometry(size, file).layout).toMatchObject({ objects, unitsPerObject: units });
    },
  );

  test.each([
    // size, target, grain, lease
    ['256MiB', file, 4, 4],
    ['4GiB', file, 64, 64],
    ['1TiB', file, 1024, 1024],
    ['10TiB', file, 1024, 4096],
    ['10TiB', `${file}, files: { count: 4 }`, 2621440, 2621440],
    ['10TiB', `${file}, files: { count: 1 }`, 1, 4096],
    ['10TiB', `${file}, files: { count: 1 }, align: 48MiB`, 48, 85 * 48],
    ['10TiB', `${file}, files: { count: 1 }, io: { block: 64MiB }`, 64, 4096],
    ['10TiB', 'kind: block, device: /dev/sdb', 1, 4096],
    ['10TiB', 'kind: block, device: /dev/sdb, align: 48MiB', 48, 85 * 48],
    ['10TiB', `${file}, files: { count: 4 }, align: 48MiB`, 48, 85 * 48],
    ['10TiB', `${file}, scope: local, files: { count: 1 }`, 10485760, 10485760],
    // The block of IOR-hard: a lease ends where a block and a unit end together.
    ['10TiB', `${file}, files: { count: 1 }, io: { block: 47008, direct: false }`, 1469, 2938],
    ['10TiB', `${file}, files: { count: 10240 }, io: { block: 47008, direct: false }`, 1024, 4096],
  ])('%s on %s: leases end on multiples of %i units and hold %i', (size, target, grainUnits, leaseUnits) => {
    expect(geometry(size, target)).toMatchObject({ grainUnits, leaseUnits });
  });

  test('a block of several units never spans two files', () => {
    const { layout, blockBytes } = geometry('1GiB', `${file}, files: { count: 1000 }, io: { block: 64KiB }`, '4KiB');
    expect((layout.unitsPerObject * layout.unitBytes) % blockBytes).toBe(0);
  });

  test('files that several agents share begin on the stripe that leases end on', () => {
    const { layout, grainUnits } = geometry('100MiB', `${file}, files: { count: 3 }, align: 8MiB`);
    expect(layout).toMatchObject({ unitsPerObject: 40, objects: 3 });
    expect(layout.unitsPerObject % grainUnits).toBe(0);
  });

  test('each unit lies in an object that exists, and leases are whole grains, whatever the plan', () => {
    const plans = fc.record({
      size: fc.bigInt({ min: 1n, max: 2n ** 62n }),
      unit: fc.integer({ min: 1, max: GiB / 4096 }).map((cells) => cells * 4096),
      target: fc.constantFrom(
        file,
        `${file}, files: { count: 1 }`,
        'kind: block, device: /dev/sdb',
        'kind: memory',
        'kind: null',
      ),
    });
    fc.assert(
      fc.property(plans, ({ size, unit, target }) => {
        const { layout, blockBytes, grainUnits, leaseUnits } = geometry(String(size), target, String(unit));
        const { units, unitBytes, unitsPerObject, objects } = layout;
        expect(BigInt(units) * BigInt(unitBytes) >= size).toBe(true);
        expect(BigInt(units - 1) * BigInt(unitBytes) < size).toBe(true);
        expect(Math.floor((units - 1) / unitsPerObject)).toBe(objects - 1);
        expect(unitBytes % blockBytes).toBe(0);
        expect(blockBytes % 4096).toBe(0);
        expect(leaseUnits % grainUnits).toBe(0);
        expect(objects === 1 || grainUnits % unitsPerObject === 0).toBe(true);
        for (const each of [units, unitsPerObject, objects, grainUnits, leaseUnits]) {
          expect(Number.isSafeInteger(each) && each >= 1).toBe(true);
        }
      }),
    );
  });

  test('the block that nobody named is the largest part of the unit that direct I/O takes', () => {
    expect(largestBlock(MiB)).toBe(MiB);
    expect(largestBlock(64 * 1024)).toBe(64 * 1024);
    expect(largestBlock(GiB)).toBe(MiB);
    expect(largestBlock(1.5 * MiB)).toBe(0.75 * MiB);
    expect(largestBlock(4096 * 257)).toBe(4096);
  });
});
