import type { StageSpread, SweepResult, SweepRow } from '@seedstorm/proto';
import { describe, expect, test } from 'vitest';
import { roundLines } from './rounds.js';

const spread = (median: number) => ({ median, least: median / 2, greatest: median * 1.5, spread: 1 });
const ofStage = (changes: Partial<StageSpread>): StageSpread => ({
  stage: 0,
  name: 'write',
  point: 0,
  repetitions: 3,
  bytesPerSecond: spread(2e9),
  operationsPerSecond: spread(2000),
  p99Ns: spread(4e6),
  ...changes,
});
const row = (point: number, bytesPerSecond: number, p99Ns: number): SweepRow => ({
  point,
  stage: 1,
  name: 'read',
  repetitions: 1,
  bytesPerSecond,
  operationsPerSecond: 10,
  p50Ns: 1e6,
  p99Ns,
  kneeNs: p99Ns,
  rate: undefined,
});
const sweep = (changes: Partial<SweepResult> = {}): SweepResult => ({
  points: [4096n, 65_536n].map((value, at) => ({
    point: at + 1,
    values: [
      { key: 'block', value, rateOf: '' },
      { key: 'queueDepth', value: 8n, rateOf: '' },
    ],
  })),
  rows: [row(1, 1e9, 2e6), row(2, 3e9, 7e6)],
  kneePercentile: 'p99',
  kneeBelowNs: 5_000_000n,
  knees: [{ stage: 1, name: 'read', point: 1 }],
  ...changes,
});

describe('rounds', () => {
  test('of stages that were repeated the median and how far they spread are shown', () => {
    const [table = ''] = roundLines({ spreads: [ofStage({})], sweep: undefined });
    expect(table).toMatch(/write .* GB\/s .* 2 .* 1 .* 3 .* 100\.0%/u);
    expect(table).toMatch(/× 3 .* p99 .* 4\.0+ ms/u);
  });

  test('of a sweep there is a row a point, and the knee is named with its values', () => {
    const [table = '', knee] = roundLines({ spreads: [ofStage({ point: 1 })], sweep: sweep() });
    const lines = table.split('\n').filter((line) => line.includes('read'));
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/4KiB .* 8 .* read .* 1 .* knee/u);
    expect(lines[1]).toMatch(/64KiB .* 8 .* read .* 3 /u);
    expect(lines[1]).not.toContain('knee');
    expect(knee).toMatch(/^read: the most with p99 < 5\.0+ ms is 1 GB\/s, at block 4KiB, queueDepth 8$/u);
  });

  test('that no point stays below the limit is said', () => {
    const [, knee] = roundLines({ spreads: [], sweep: sweep({ knees: [{ stage: 1, name: 'read', point: 0 }] }) });
    expect(knee).toMatch(/^read: no point with p99 < .*: there is no knee$/u);
  });

  test('of a sweep over rates each row says how much of its rate was reached, and what clients would have waited', () => {
    const rate = { of: 'operations', wanted: 2000, reached: 1996, kept: true, p50Ns: 3e6, p99Ns: 4e6 };
    const value = { key: 'rate', value: 2000n, rateOf: 'operations' };
    const rows = [
      { ...row(1, 1e9, 1e6), rate },
      { ...row(2, 1e9, 1e6), rate: { ...rate, reached: 1000, kept: false } },
    ];
    const points = [1, 2].map((point) => ({ point, values: [value] }));
    const [table = '', knee] = roundLines({ spreads: [], sweep: sweep({ points, rows }) });
    const lines = table.split('\n').filter((line) => line.includes('read'));
    expect(lines[0]).toMatch(/2,000 operations\/s .* 99\.8% .* 3\.00 ms .* 4\.00 ms .* knee/u);
    expect(lines[1]).toMatch(/not kept: 50\.0%/u);
    expect(knee).toMatch(/, at rate 2,000 operations\/s$/u);
    const none = sweep({ points, rows, knees: [{ stage: 1, name: 'read', point: 0 }] });
    expect(roundLines({ spreads: [], sweep: none })[1]).toMatch(/^read: no point kept its rate with p99 < /u);
  });
});
