/** Two ordinary NUMA nodes, one with memory only (as CXL memory is shown) and one with CPUs only. */
import { describe, expect } from 'vitest';
import { testIn } from './guest.js';
import {
  type BytesByNode,
  expectNoRemotePage,
  expectOnTheirPus,
  type LanesSeen,
  pusByNode,
  ranByNode,
  type WorkSeen,
} from './seen.js';

const cpusOnly = 2;
/** The memory that is nearest to the node with CPUs only. */
const nearest = 1;
/** Linux gives nodes without CPUs the last numbers. */
const memoryOnly = 3;
const shape = {
  nodes: [
    { cpus: 4, mebibytes: 512 },
    { cpus: 4, mebibytes: 512 },
    { cpus: 4, mebibytes: 0 },
    { cpus: 0, mebibytes: 512 },
  ],
  // The node with memory only is nearest to the one with CPUs only, and farther from it than `nearest`.
  distances: [
    [10, 20, 24, 30],
    [20, 10, 14, 30],
    [24, 14, 10, 18],
    [30, 30, 18, 10],
  ],
};
const pools = { 0: [0, 1, 2, 3], 1: [4, 5, 6, 7], [cpusOnly]: [8, 9, 10, 11] };
const test = testIn(shape, 'memory-only-node');

describe('a node with memory only', () => {
  test('is shown with its memory, and gets no lane', ({ guest }) => {
    const { topology, placement } = guest.saw<LanesSeen>('lanes');
    const node = topology.numaNodes.find(({ osIndex }) => osIndex === memoryOnly);
    expect(node?.memoryBytes).toBeGreaterThan(400 * 1024 ** 2);
    expect(pusByNode(placement)).toEqual(pools);
  });

  test('gives buffers to a program that asks for its memory', ({ guest }) => {
    const { bound, places } = guest.saw<{ bound: Record<string, BytesByNode>; places: number[] }>('buffers');
    expect(places).toEqual([memoryOnly, memoryOnly]);
    expect(Object.keys(bound[memoryOnly] ?? {})).toEqual([String(memoryOnly)]);
  });

  test('has its buffers filled by the lanes of other nodes', ({ guest }) => {
    const seen = guest.saw<WorkSeen>('work for a buffer on the memory-only node');
    expect(seen.faults).toEqual([]);
    expect(Object.values(ranByNode(seen)).some((ns) => ns > 0)).toBe(true);
  });
});

describe('a node with CPUs only', () => {
  test('has lanes, which run on their PUs and take the nearest memory, to the last page', ({ guest }) => {
    const seen = guest.saw<LanesSeen>('lanes of the node with CPUs only');
    expect(pusByNode(seen.placement)).toEqual({ [cpusOnly]: [8, 9, 10, 11] });
    expect(seen.placement.map(({ memoryNode }) => memoryNode)).toEqual([nearest]);
    expectOnTheirPus(seen);
    expectNoRemotePage(seen);
  });

  test('does not disturb the other nodes: each keeps its lanes and its pages', ({ guest }) => {
    const seen = guest.saw<LanesSeen>('lanes');
    expect(pusByNode(seen.placement)).toEqual(pools);
    expect(seen.placement.map(({ memoryNode }) => memoryNode)).toEqual([0, 1, nearest]);
    expectOnTheirPus(seen);
    expectNoRemotePage(seen);
  });
});
