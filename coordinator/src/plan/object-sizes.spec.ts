import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { geometryOf } from './geometry.js';
import { objectSizes, sum } from './object-sizes.js';
import { parsePlan } from './parse.js';

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;

describe('a table of object sizes', () => {
  test('of a uniform distribution has its ends, its mean, and no size outside', () => {
    const table = objectSizes({ uniform: { min: MiB, max: 64 * MiB }, lognormal: undefined }, 1e9, MiB);
    expect(table).toHaveLength(256);
    expect([Math.min(...table), Math.max(...table)]).toEqual([1, 64]);
    expect(sum(table) / 256).toBeCloseTo(32.5, 1);
  });

  test('of a lognormal one has its median, its mean and its cap', () => {
    const lognormal = { median: 4 * MiB, sigma: 1000, max: GiB };
    const table = objectSizes({ uniform: undefined, lognormal }, 1e12, 4096);
    const sorted = table.map((units) => units * 4096).sort((a, b) => a - b);
    expect(((sorted[127] ?? 0) + (sorted[128] ?? 0)) / 2 / MiB).toBeCloseTo(4, 1);
    // exp(µ + σ²/2), less what lies behind the last quantile.
    expect((sum(table) * 4096) / 256 / MiB / (4 * Math.exp(0.5))).toBeGreaterThan(0.97);
    const capped = objectSizes({ uniform: undefined, lognormal: { ...lognormal, max: 8 * MiB } }, 1e12, 4096);
    expect(Math.max(...capped) * 4096).toBe(8 * MiB);
  });

  test('is short where the data is little, so that there is something to share out', () => {
    const uniform = { uniform: { min: MiB, max: 3 * MiB }, lognormal: undefined };
    expect(objectSizes(uniform, 64 * 512, MiB)).toHaveLength(256);
    expect(objectSizes(uniform, 64 * 512 - 1, MiB)).toHaveLength(64);
    expect(objectSizes(uniform, 1, MiB)).toHaveLength(4);
  });

  test('is what leases are made of: they end where a group of objects does', () => {
    const plan = (size: bigint, min: number, more: number) =>
      geometryOf(
        parsePlan(
          `data: { size: ${size} }\nstages: [{ write: {} }]\ntarget: { kind: s3, bucket: abc, endpoint: "http://h", objects: { sizes: { uniform: { min: ${min}, max: ${min + more} } } } }`,
          'plan.yaml',
        ),
      );
    const cases = [
      fc.bigInt({ min: 1n, max: 2n ** 60n }),
      fc.integer({ min: 4096, max: GiB }),
      fc.integer({ min: 0, max: GiB }),
    ] as const;
    fc.assert(
      fc.property(...cases, (size, min, more) => {
        const { layout, grainUnits, leaseUnits, blockBytes } = plan(size, min, more);
        const { sizes = [], unitsPerObject, unitBytes } = layout;
        expect(grainUnits).toBe(sum(sizes));
        expect(leaseUnits % grainUnits).toBe(0);
        expect(sizes.every((units) => Number.isSafeInteger(units) && units >= 1 && units < 2 ** 32)).toBe(true);
        expect(blockBytes).toBeLessThanOrEqual(unitsPerObject * unitBytes);
        expect(blockBytes % unitBytes === 0 || unitBytes % blockBytes === 0).toBe(true);
      }),
    );
  });
});
