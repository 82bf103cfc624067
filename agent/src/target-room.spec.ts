import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bytesInPath, type PathRoom, shortOfRoom } from './target-room.js';

const MiB = 1024n ** 2n;
const path = (name: string, device: string, freeBytes: bigint, neededBytes: bigint): PathRoom => ({
  path: name,
  device,
  freeBytes,
  knowsRoom: true,
  neededBytes,
});

describe('the room that each path of a target needs', () => {
  test('adds up to the data, and is what lies there when objects are dealt out in turn', () => {
    const plans = fc.record({
      bytes: fc.bigInt({ min: 0n, max: 5000n }),
      objectBytes: fc.bigInt({ min: 1n, max: 300n }),
      paths: fc.integer({ min: 1, max: 9 }),
    });
    fc.assert(
      fc.property(plans, ({ bytes, objectBytes, paths }) => {
        const dealt = Array.from({ length: paths }, () => 0n);
        for (let at = 0n, object = 0; at < bytes; at += objectBytes, object++) {
          dealt[object % paths] = (dealt[object % paths] ?? 0n) + (bytes - at < objectBytes ? bytes - at : objectBytes);
        }
        expect(dealt.map((_, index) => bytesInPath(bytes, objectBytes, index, paths))).toEqual(dealt);
      }),
    );
  });

  test('is looked for on each file system, and added up over paths that share one', () => {
    expect(shortOfRoom([path('/a', '1', 130n * MiB, 100n * MiB), path('/b', '2', 130n * MiB, 100n * MiB)])).toEqual([]);
    const [error, ...more] = shortOfRoom([
      path('/a', '1', 130n * MiB, 100n * MiB),
      path('/b', '1', 130n * MiB, 100n * MiB),
    ]);
    expect(more).toEqual([]);
    expect(error?.what).toBe('/a and /b together have 130 MiB free; the plan writes 200 MiB there and needs 250 MiB');
  });

  test('is not asked of a file system that does not know how much it has', () => {
    expect(shortOfRoom([{ ...path('/a', '1', 0n, MiB), knowsRoom: false }])).toEqual([]);
  });
});
