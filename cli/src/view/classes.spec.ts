import type { ClassResult } from '@seedstorm/proto';
import { describe, expect, test } from 'vitest';
import { stageResult } from '../testing.js';
import { classLines } from './classes.js';

const of = (operation: string, size: string, changes: Partial<ClassResult> = {}): ClassResult => ({
  operation,
  size,
  operations: 2000n,
  bytes: 0n,
  errors: 0n,
  operationsPerSecond: 1000,
  bytesPerSecond: 0,
  latency: { count: 2000n, p50Ns: 1000n, p90Ns: 2000n, p99Ns: 3000n, p999Ns: 4000n, maxNs: 5000n },
  response: undefined,
  ...changes,
});

describe('classes of operations on the terminal', () => {
  test('small and large operations have times of their own, and metadata has no size', () => {
    const classes = [
      of('read', '4KiB', { bytes: 8_192_000n, bytesPerSecond: 4_096_000 }),
      of('stat', '', { errors: 3n }),
      of('write', 'larger', { bytes: 1n, bytesPerSecond: 2e9 }),
    ];
    expect(classLines(stageResult({ classes }))).toEqual([
      '  read ≤ 4 KiB: 2,000 operations, 1,000/s, 0.0041 GB/s, p50 1.00 µs, p99 3.00 µs, max 5.00 µs',
      '  stat: 2,000 operations, 1,000/s, 3 failed, p50 1.00 µs, p99 3.00 µs, max 5.00 µs',
      '  write > 16 MiB: 2,000 operations, 1,000/s, 2 GB/s, p50 1.00 µs, p99 3.00 µs, max 5.00 µs',
    ]);
  });

  test('one class alone says nothing that the stage does not say', () => {
    expect(classLines(stageResult({ classes: [of('write', '1MiB')] }))).toEqual([]);
  });
});
