import type { StageResult } from '@seedstorm/proto';
import { describe, expect, test } from 'vitest';
import { type ResolvedPlan, type ResolvedStage, type SweepPoint, stagesOfRound } from '../plan/index.js';
import { sweepResult } from './points.js';
import { labelOf, roundsOf, roundText } from './rounds.js';
import { median, spreadOf, spreadsOf } from './spread.js';

const stages = (...kinds: readonly ('write' | 'read' | 'delete')[]): ResolvedStage[] => {
  let writes = 0;
  return kinds.map((kind) => {
    if (kind === 'write') writes += 1;
    const stage: ResolvedStage = { kind, delayMs: 0, generation: Math.max(0, writes - 1) };
    if (kind === 'delete') writes = 0;
    return stage;
  });
};
const generations = (kinds: readonly ('write' | 'read' | 'delete')[], kind: 'file' | 'block' = 'file') =>
  [0, 1, 2].map((round) =>
    stagesOfRound({ stages: stages(...kinds), target: { kind } as ResolvedPlan['target'] }, round).map((stage) =>
      'generation' in stage ? stage.generation : -1,
    ),
  );

describe('rounds', () => {
  test('data that stays is written in the next generation, and read in it; deleted data begins anew', () => {
    expect(generations(['write', 'read'])).toEqual([
      [0, 0],
      [1, 1],
      [2, 2],
    ]);
    expect(generations(['write', 'write', 'read'])).toEqual([
      [0, 1, 1],
      [2, 3, 3],
      [4, 5, 5],
    ]);
    expect(generations(['write', 'read', 'delete'])).toEqual([
      [0, 0, 0],
      [0, 0, 0],
      [0, 0, 0],
    ]);
    expect(generations(['write', 'delete', 'write', 'read'])).toEqual([
      [0, 0, 0, 0],
      [1, 1, 0, 0],
      [1, 1, 0, 0],
    ]);
    expect(generations(['write', 'delete'], 'block')).toEqual([
      [0, 0],
      [1, 1],
      [2, 2],
    ]);
  });

  test('each point has its values, each repetition its name, and every stage comes in every round', () => {
    const point = (values: SweepPoint['values']): SweepPoint => ({
      values,
      layout: { units: 8, unitBytes: 4096, unitsPerObject: 1, objects: 8 },
      blockBytes: values.block ?? 4096,
      grainUnits: 1,
      leaseUnits: 1,
    });
    const plan = {
      stages: stages('write', 'delete'),
      target: { kind: 'file' },
      repeat: 2,
      points: [point({ agents: 1, queueDepth: 4 }), point({ agents: 2, block: 8192 })],
      queueDepth: 16,
    } as unknown as ResolvedPlan;
    const rounds = [...roundsOf(plan)];
    expect(rounds.map(({ point: at, repetition, agents }) => [at, repetition, agents])).toEqual([
      [1, 1, 1],
      [1, 2, 1],
      [2, 1, 2],
      [2, 2, 2],
    ]);
    expect(rounds.map(({ plan: { queueDepth, blockBytes } }) => [queueDepth, blockBytes])).toEqual([
      [4, 4096],
      [4, 4096],
      [16, 8192],
      [16, 8192],
    ]);
    expect(rounds.map((round) => labelOf('write', round))[3]).toBe('write at point 2 #2');
    expect(rounds.map((round) => roundText(plan, round))[3]).toBe(
      'point 2 of 2: agents 2, block 8KiB; repetition 2 of 2',
    );
  });
});

const result = (changes: Partial<StageResult>): StageResult =>
  ({ stage: 0, name: 'write', complete: true, repetition: 0, point: 0, ...changes }) as StageResult;
const latency = (p99Ns: bigint) => ({ count: 1n, p50Ns: 1n, p90Ns: 2n, p99Ns, p999Ns: 9n, maxNs: 9n });

describe('the spread of repetitions', () => {
  test('is the distance of the extremes over the median', () => {
    expect([median([3, 1, 2]), median([4, 1, 2, 3]), median([])]).toEqual([2, 2.5, 0]);
    expect(spreadOf([90, 110, 100])).toEqual({ median: 100, least: 90, greatest: 110, spread: 0.2 });
    expect(spreadOf([0, 0])).toMatchObject({ median: 0, spread: 0 });
  });

  test('is told for each stage, and not for stages that were done once', () => {
    const results = [1, 2, 3].flatMap((repetition) => [
      result({ repetition, bytesPerSecond: repetition * 10, operationsPerSecond: 1, latency: latency(5n) }),
      result({ repetition, stage: 1, name: 'read', bytesPerSecond: 7, operationsPerSecond: 2, latency: latency(6n) }),
    ]);
    expect(spreadsOf(results)).toMatchObject([
      { stage: 0, name: 'write', repetitions: 3, bytesPerSecond: { median: 20, least: 10, greatest: 30, spread: 1 } },
      { stage: 1, name: 'read', repetitions: 3, p99Ns: { median: 6 } },
    ]);
    expect(spreadsOf([result({})])).toEqual([]);
  });
});

describe('the knee of a sweep', () => {
  const points = [1, 2, 3].map((queueDepth) => ({ values: { queueDepth } })) as unknown as SweepPoint[];
  const at = (point: number, bytesPerSecond: number, p99Ns: bigint, complete = true): StageResult =>
    result({ point, bytesPerSecond, operationsPerSecond: 1, latency: latency(p99Ns), complete });

  test('is the highest throughput whose latency stays below, which need not be the highest of all', () => {
    const knee = { percentile: 'p99', belowNs: 50 } as const;
    const swept = sweepResult({ points, knee }, [at(1, 10, 20n), at(2, 30, 49n), at(3, 40, 50n)]);
    expect(swept?.knees).toEqual([{ stage: 0, name: 'write', point: 2 }]);
    expect(sweepResult({ points }, [at(1, 10, 20n), at(2, 30, 49n), at(3, 40, 50n)])?.knees[0]?.point).toBe(3);
  });

  test('is nowhere when no point stays below, and what was not whole is no point', () => {
    const knee = { percentile: 'p99', belowNs: 20 } as const;
    expect(sweepResult({ points, knee }, [at(1, 10, 20n), at(2, 30, 5n, false)])?.knees[0]?.point).toBe(0);
    expect(sweepResult({ points: [] }, [result({})])).toBeUndefined();
  });

  const paced = (point: number, wanted: number, reached: number, p99Ns: bigint, kept: boolean): StageResult =>
    result({
      ...at(point, reached, 1n),
      rate: { of: 'operations', arrivals: 'poisson', wanted, reached, response: latency(p99Ns), lateNs: 0n, kept },
    });

  test('under a rate is judged by what clients would have waited, and is never where the rate was not kept', () => {
    const knee = { percentile: 'p99', belowNs: 50 } as const;
    const results = [paced(1, 100, 101, 20n, true), paced(2, 200, 199, 49n, true), paced(3, 300, 250, 30n, false)];
    const swept = sweepResult({ points, knee }, [...results, paced(4, 250, 250, 51n, true)]);
    expect(swept?.knees).toEqual([{ stage: 0, name: 'write', point: 2 }]);
    expect(swept?.rows[1]).toMatchObject({ p99Ns: 1, kneeNs: 49, rate: { reached: 199, kept: true, p99Ns: 49 } });
    expect(sweepResult({ points, knee }, results.slice(2))?.knees[0]?.point).toBe(0);
    const twice = [{ ...paced(1, 100, 100, 20n, true) }, { ...paced(1, 100, 90, 20n, false) }];
    expect(sweepResult({ points }, twice)?.rows[0]).toMatchObject({ repetitions: 2, rate: { kept: false } });
  });

  test('of a stage that keeps none of the rates is not told where nothing else makes a difference', () => {
    const rates = [100, 200].map((perSecond) => ({ values: { rate: { of: 'bytes', perSecond } } }));
    const results = [at(1, 10, 20n), { ...paced(1, 100, 100, 1n, true), stage: 1, name: 'read' }];
    const swept = sweepResult({ points: rates as unknown as SweepPoint[] }, results);
    expect(swept?.knees).toEqual([{ stage: 1, name: 'read', point: 1 }]);
    expect(swept?.points[1]?.values).toEqual([{ key: 'rate', value: 200n, rateOf: 'bytes' }]);
  });
});
