import { bucketOf } from '@seedstorm/proto';
import { describe, expect, test } from 'vitest';
import { type ClassCounts, type ClassName, ClassTimes } from './class-totals.js';

const small: ClassName = { operation: 'read', size: '4KiB', part: false };
const large: ClassName = { operation: 'read', size: 'larger', part: false };
const stat: ClassName = { operation: 'stat', size: '', part: false };

const times = (of: ClassName, ns: number, count: number) => ({
  ...of,
  pool: 0,
  service: { buckets: [bucketOf(ns)], counts: [count], maxNs: ns },
});
const counts = (of: ClassName, operations: number): ClassCounts => ({
  ...of,
  operations,
  bytes: operations * 4096,
  errors: 1,
});

describe('classes of operations of a stage', () => {
  test('each has its own counts and times, over all agents, the smallest size first', () => {
    const all = new ClassTimes();
    all.add(times(large, 5_000_000, 2));
    all.add(times(small, 1000, 3));
    all.add(times(small, 2000, 1));
    all.add(times(stat, 100, 1));
    const rows = all.results([counts(large, 2), counts(small, 3), counts(small, 1), counts(stat, 1)], 2);
    expect(rows.map(({ operation, size, operations, errors }) => [operation, size, operations, errors])).toEqual([
      ['read', '4KiB', 4n, 2n],
      ['read', 'larger', 2n, 1n],
      ['stat', '', 1n, 1n],
    ]);
    expect(rows[0]).toMatchObject({ operationsPerSecond: 2, bytesPerSecond: 8192, bytes: 16_384n });
    expect(rows.map(({ latency }) => [latency?.count, latency?.maxNs])).toEqual([
      [4n, 2000n],
      [2n, 5_000_000n],
      [1n, 100n],
    ]);
  });

  test('those of the coordinator’s own lanes are added whole', () => {
    const [own, agents] = [new ClassTimes(), new ClassTimes()];
    own.add(times(small, 1000, 2));
    agents.add(times(small, 9000, 1));
    agents.addAll(own);
    expect(agents.results([counts(small, 3)], 1)[0]?.latency).toMatchObject({ count: 3n, maxNs: 9000n });
  });

  test('a class of which all failed is told, without times', () => {
    const [row] = new ClassTimes().results([counts(small, 0)], 1);
    expect(row).toMatchObject({ errors: 1n, latency: { count: 0n } });
  });
});
