import type { RateResult } from '@seedstorm/proto';
import { describe, expect, test } from 'vitest';
import { stageResult } from '../testing.js';
import { rateLines } from './rates.js';

const rate = (changes: Partial<RateResult>): RateResult => ({
  of: 'operations',
  arrivals: 'constant',
  wanted: 20_000,
  reached: 19_990,
  response: { count: 10n, p50Ns: 1000n, p90Ns: 2000n, p99Ns: 3_000_000n, p999Ns: 4_000_000n, maxNs: 5_000_000_000n },
  lateNs: 4_200_000_000n,
  kept: true,
  ...changes,
});

describe('a rate on the terminal', () => {
  test('one that was kept is said with what clients waited', () => {
    expect(rateLines(stageResult({ rate: rate({}) }))).toEqual([
      '  the rate was kept: 19,990 operations/s of 20,000 operations/s wanted (100.0%); response times, from the instants at which operations were to begin: p50 1.00 µs, p99 3.00 ms, max 5.00 s',
    ]);
  });

  test('one that was not kept is said plainly, and how far behind it fell', () => {
    const [line] = rateLines(stageResult({ rate: rate({ of: 'bytes', wanted: 5e9, reached: 3e9, kept: false }) }));
    expect(line).toContain(
      'the rate was not reached: 3 GB/s of 5 GB/s wanted (60.0%); the last operations began 4.20 s late',
    );
  });

  test('a stage without a rate has no such line', () => {
    expect(rateLines(stageResult())).toEqual([]);
  });
});
