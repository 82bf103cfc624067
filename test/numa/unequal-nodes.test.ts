/**
 * NUMA nodes of 2, 6 and 8 CPUs and of different memory; cpusets of the first version of control groups, a CPU quota, and
 * a CPU that goes off-line.
 */
import { describe, expect } from 'vitest';
import { testIn } from './guest.js';
import { expectNoRemotePage, expectOnTheirPus, type LanesSeen, pusByNode, ranByNode, type WorkSeen } from './seen.js';
import { cpusOf } from './shape.js';

const shape = {
  nodes: [
    { cpus: 2, mebibytes: 512 },
    { cpus: 6, mebibytes: 256 },
    { cpus: 8, mebibytes: 768 },
  ],
  distances: [
    [10, 15, 30],
    [15, 10, 20],
    [30, 20, 10],
  ],
};
const nodes = [...shape.nodes.keys()];
const test = testIn(shape, 'unequal-nodes');

/** The numbers of a list as the kernel writes it. */
function pusOf(list: string): number[] {
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, at) => first + at);
  });
}

describe('nodes of different sizes', () => {
  test('have a lane on each of their cores, and every page beside it', ({ guest }) => {
    const seen = guest.saw<LanesSeen>('lanes');
    expect(pusByNode(seen.placement)).toEqual(Object.fromEntries(nodes.map((node) => [node, cpusOf(shape, node)])));
    expectOnTheirPus(seen);
    expectNoRemotePage(seen);
  });

  test('have as many lanes as were asked for, and the small one those that it has room for', ({ guest }) => {
    const seen = guest.saw<LanesSeen>('four lanes a pool');
    expect(seen.placement.map(({ lanes }) => lanes.length)).toEqual([2, 4, 4]);
    for (const { numaNode, lanes } of seen.placement) {
      for (const { pu } of lanes) expect(cpusOf(shape, numaNode)).toContain(pu);
    }
    expectOnTheirPus(seen);
    expectNoRemotePage(seen);
  });

  test('all work on a buffer that belongs to none', ({ guest }) => {
    const seen = guest.saw<WorkSeen>('work for all');
    expect(seen.faults).toEqual([]);
    const ran = ranByNode(seen);
    for (const node of nodes) expect(ran[node], JSON.stringify(ran)).toBeGreaterThan(0);
  });
});

describe('a cpuset of control groups of version 1', () => {
  test('bounds lanes and pages', ({ guest }) => {
    const seen = guest.saw<LanesSeen>('lanes in a cgroup');
    expect(pusByNode(seen.placement)).toEqual({ 0: [0], 1: [5, 6, 7], 2: [8, 9] });
    expectOnTheirPus(seen);
    expectNoRemotePage(seen);
  });

  test('that leaves CPUs without their own memory gives them the nearest that is left', ({ guest }) => {
    const seen = guest.saw<LanesSeen>('lanes without memory of their own');
    expect(pusByNode(seen.placement)).toEqual({ 1: [2, 3] });
    expect(seen.placement.map(({ memoryNode }) => memoryNode)).toEqual([0]);
    expectOnTheirPus(seen);
    expectNoRemotePage(seen);
    expect(Object.keys(seen.memory.own).filter((node) => !['0', '2'].includes(node))).toEqual([]);
  });
});

test('a CPU quota leaves as many lanes as it keeps running, on all nodes, and says so', ({ guest }) => {
  const seen = guest.saw<LanesSeen>('lanes under a CPU quota');
  expect(seen.placement.map(({ lanes }) => lanes.length)).toEqual([2, 2, 1]);
  expect(seen.notes).toEqual([expect.stringMatching(/^5 lanes instead of 16: the cgroup's CPU quota is 5\.0 CPUs/u)]);
  expectNoRemotePage(seen);
});

test("the process's other threads keep off the lanes' CPUs where others are left to them", ({ guest }) => {
  const seen = guest.saw<LanesSeen>('four lanes a pool');
  const taken = seen.placement.flatMap(({ lanes }) => lanes.map(({ pu }) => pu));
  const left = Array.from({ length: 16 }, (_, pu) => pu).filter((pu) => !taken.includes(pu));
  expect(seen.others.map(pusOf)).toEqual([left]);
});

test('a CPU that goes off-line under a lane ends neither the work nor the engine, and is told', ({ guest }) => {
  const seen = guest.saw<{ during: number[]; after: number[]; notes: string[]; pus: number[] }>(
    'a CPU that goes off-line',
  );
  const lanes = cpusOf(shape, 0).length + cpusOf(shape, 1).length + cpusOf(shape, 2).length;
  for (const generated of [seen.during, seen.after]) {
    expect(generated).toHaveLength(lanes);
    expect(Math.min(...generated)).toBeGreaterThan(0);
  }
  expect(seen.notes).toContainEqual(expect.stringMatching(/^lane 9 was moved from PU 9 to PU \d+ by the system/u));
  expect(seen.pus).toEqual(nodes.flatMap((node) => cpusOf(shape, node)).filter((pu) => pu !== 9));
});
