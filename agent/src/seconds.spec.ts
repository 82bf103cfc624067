import { type Moved, monotonicNs } from '@seedstorm/native';
import type { SecondCounters } from '@seedstorm/proto';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { between, Seconds } from './seconds.js';

const secondNs = 1_000_000_000n;

describe('the seconds of a stage on an agent', () => {
  test('a reading that is late does not move bytes from one second to the next', () => {
    const [before, after] = [
      { atNs: 0n, operations: 0, bytes: 0 },
      { atNs: 1_250_000_000n, operations: 125, bytes: 1250 },
    ];
    expect(between(before, after, secondNs)).toEqual({ operations: 100, bytes: 1000 });
  });

  test('seconds add up to all that was done, whenever they are read and taken', () => {
    const steps = fc.array(
      fc.record({ ms: fc.integer({ min: 1, max: 4000 }), bytes: fc.nat(1e6), take: fc.boolean() }),
      {
        maxLength: 30,
      },
    );
    fc.assert(
      fc.property(steps, fc.integer({ min: 0, max: 5000 }), (all, laterMs) => {
        const commonNs = monotonicNs() + 3600n * secondNs;
        let now: Moved = { atNs: commonNs + BigInt(laterMs) * 1_000_000n, operations: 0, bytes: 0 };
        const seconds = new Seconds(() => now, commonNs, now.atNs);
        const told: SecondCounters[] = [];
        for (const { ms, bytes, take } of all) {
          now = { atNs: now.atNs + BigInt(ms) * 1_000_000n, operations: now.operations + 1, bytes: now.bytes + bytes };
          if (take) told.push(...seconds.take(false));
        }
        told.push(...seconds.take(true));
        expect(told.reduce((sum, { bytes }) => sum + Number(bytes), 0)).toBe(now.bytes);
        expect(told.reduce((sum, { operations }) => sum + Number(operations), 0)).toBe(now.operations);
        const first = Math.floor(laterMs / 1000);
        expect(told.map(({ index }) => index)).toEqual(told.map((_, i) => first + i));
        const last = Number((now.atNs - commonNs) / secondNs);
        for (const { index } of told) expect(index).toBeLessThanOrEqual(last);
      }),
    );
  });

  test('counters are read at each border, not only when a report is made', async () => {
    const startNs = monotonicNs();
    // Work that ends in the first second: read once at the end only, it would be spread over two.
    const moved = vi.fn(() => ({ atNs: monotonicNs(), operations: 10, bytes: 1000 }));
    const seconds = new Seconds(moved, startNs - secondNs + 50_000_000n, startNs);
    await vi.waitFor(() => expect(moved).toHaveBeenCalled());
    seconds.close();
    expect(seconds.take(false)).toHaveLength(1);
  });
});
