import type { AgentStageResult, SecondsResult } from '@seedstorm/proto';
import { describe, expect, test } from 'vitest';
import { stageResult } from '../testing.js';
import { measuredLines } from './measured.js';

const seconds: SecondsResult = {
  width: 1,
  bytes: [1n, 3_000_000_000n, 2_000_000_000n, 1_000_000_000n, 5n],
  operations: [1n, 3000n, 2000n, 1000n, 5n],
  agents: [2, 2, 2, 2, 1],
  whole: 3,
  fastest: { at: 1, bytesPerSecond: 3e9, operationsPerSecond: 3000 },
  median: { at: 2, bytesPerSecond: 2e9, operationsPerSecond: 2000 },
  slowest: { at: 3, bytesPerSecond: 1e9, operationsPerSecond: 1000 },
  firstDoneNs: 3_900_000_000n,
  lastDoneNs: 4_100_000_000n,
};
const cpu = {
  lanesUserNs: 1_000_000_000n,
  lanesSystemNs: 500_000_000n,
  processUserNs: 2_000_000_000n,
  processSystemNs: 0n,
};
const agent = { cpu } as AgentStageResult;

describe('what a stage’s row cannot say', () => {
  test('a stage that was uneven says its fastest, median and slowest second, and when lanes ran out of work', () => {
    expect(measuredLines(stageResult({ seconds }))).toEqual([
      '  of 3 whole seconds: fastest 3 GB/s, median 2 GB/s, slowest 1 GB/s (at 3 s); first lane done after 3.90 s, last after 4.10 s',
    ]);
  });

  test('a stage of metadata has operations where there are no bytes', () => {
    const none = { at: 1, bytesPerSecond: 0, operationsPerSecond: 1200 };
    const [line] = measuredLines(stageResult({ seconds: { ...seconds, fastest: none, median: none, slowest: none } }));
    expect(line).toContain('fastest 1,200 operations/s');
  });

  test('CPU time is told for each GB, lanes apart', () => {
    expect(measuredLines(stageResult({ agents: [agent, agent], cpuSecondsPerGb: 0.31234 }))).toEqual([
      '  CPU time 4.00 s (lanes 2.00 s user, 1.00 s system), 0.312 s for each GB',
    ]);
  });

  test('where the clients could hardly do more, it is said that it may be them that were measured', () => {
    const line = (times: number) => measuredLines(stageResult({ headroom: { nullBytesPerSecond: 35e9, times } }))[0];
    expect(line(14.23)).toBe('  headroom: 14.2× (null 35 GB/s)');
    expect(line(1.5)).toContain('headroom: 1.50× (null 35 GB/s): the clients may be the limit');
  });

  test('data that the clients could keep in memory is said beside what was read', () => {
    const memory = { dataBytes: 2n ** 30n, memoryBytes: 2n ** 34n, hosts: 2, cacheable: true };
    expect(measuredLines(stageResult({ memory }))[0]).toContain(
      'the data, 1 GiB, are less than twice the memory of the agents’ 2 hosts, 16 GiB',
    );
    expect(measuredLines(stageResult({ memory: { ...memory, cacheable: false } }))).toEqual([]);
  });
});
