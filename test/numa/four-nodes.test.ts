/** 16 CPUs on 4 NUMA nodes of the same size: what a user with several nodes is promised. */
import type { LaneExplanation } from '@seedstorm/native';
import { describe, expect } from 'vitest';
import { testIn } from './guest.js';
import {
  type BytesByNode,
  type CommandSeen,
  expectNoRemotePage,
  expectOnTheirPus,
  expectToldAtHome,
  type LanesSeen,
  printed,
  pusByNode,
  ranByNode,
  type TopologySeen,
  usualBufferBytes,
  type WorkSeen,
} from './seen.js';
import { cpusOf } from './shape.js';

const node = { cpus: 4, mebibytes: 512 };
const shape = {
  nodes: [node, node, node, node],
  distances: [
    [10, 12, 21, 21],
    [12, 10, 21, 21],
    [21, 21, 10, 12],
    [21, 21, 12, 10],
  ],
};
const nodes = [...shape.nodes.keys()];
const all = Object.fromEntries(nodes.map((each) => [each, cpusOf(shape, each)]));
const test = testIn(shape, 'four-nodes');

describe('the machine', () => {
  test('is shown with the CPUs, memory and distances that its nodes have', ({ guest }) => {
    const { topology } = printed<TopologySeen>(guest.saw<CommandSeen>('topology'));
    expect(topology.numaNodes).toEqual(
      nodes.map((each) => expect.objectContaining({ osIndex: each, cpuset: cpusOf(shape, each) })),
    );
    // The kernel keeps some of it to itself.
    for (const { memoryBytes } of topology.numaNodes) {
      expect(memoryBytes).toBeGreaterThan(400 * 1024 ** 2);
      expect(memoryBytes).toBeLessThanOrEqual(512 * 1024 ** 2);
    }
    expect(topology.distances).toEqual({ nodes, values: shape.distances.flat() });
  });

  test('gets a pool on each node and a lane on each core', ({ guest }) => {
    const { pools } = printed<TopologySeen>(guest.saw<CommandSeen>('topology'));
    expect(pusByNode(pools)).toEqual(all);
    expect(pools.map((pool) => pool.memoryNode)).toEqual(nodes);
  });
});

describe('lanes', () => {
  test('all run, each on its own PU and on no other', ({ guest }) => {
    const seen = guest.saw<LanesSeen>('lanes');
    expect(pusByNode(seen.placement)).toEqual(all);
    expectOnTheirPus(seen);
  });

  test("have every page of their buffers on their own node: the kernel counts no byte on another's", ({ guest }) => {
    expectNoRemotePage(guest.saw<LanesSeen>('lanes'));
  });

  test('have every page on their own node with buffers of several huge pages too', ({ guest }) => {
    const seen = guest.saw<LanesSeen>('lanes with large buffers');
    expectOnTheirPus(seen);
    expectNoRemotePage(seen, 6 * usualBufferBytes);
  });

  test('are told to be there by the engine too, which the kernel bears out', ({ guest }) => {
    const small = guest.saw<LanesSeen>('lanes');
    expectToldAtHome(small.explained, small.placement);
    const large = guest.saw<LanesSeen>('lanes with large buffers');
    expectToldAtHome(large.explained, large.placement, 6 * usualBufferBytes);
    for (const { hugeBytes } of large.explained) expect(hugeBytes).toBe(6 * usualBufferBytes);
  });

  test('are told to be there by `seedstorm bench --explain`', ({ guest }) => {
    const { pools } = printed<TopologySeen>(guest.saw<CommandSeen>('topology'));
    expectToldAtHome(printed<BenchSeen>(guest.saw<CommandSeen>('bench')).explain, pools);
  });

  test('all have a rate in `seedstorm bench`, each under its own PU and node', ({ guest }) => {
    const { lanes, pools } = printed<BenchSeen>(guest.saw<CommandSeen>('bench'));
    const asked = nodes.flatMap((numaNode) => cpusOf(shape, numaNode).map((pu) => ({ pu, numaNode })));
    expect(lanes.map(({ pu, numaNode }) => ({ pu, numaNode }))).toEqual(asked);
    expect(pools.map(({ numaNode }) => numaNode)).toEqual(nodes);
    for (const { generate, verify } of [...lanes, ...pools]) {
      expect(generate).toBeGreaterThan(0);
      expect(verify).toBeGreaterThan(0);
    }
  });
});

describe('a restricted process', () => {
  test('has lanes on the CPUs that taskset left, and their pages beside them', ({ guest }) => {
    const seen = guest.saw<LanesSeen>('lanes under taskset');
    expect(pusByNode(seen.placement)).toEqual({ 0: [2], 1: [5, 6], 3: [15] });
    expectOnTheirPus(seen);
    expectNoRemotePage(seen);
  });

  test("stays inside its control group's cpuset, with its lanes and with every page", ({ guest }) => {
    const seen = guest.saw<LanesSeen>('lanes in a cgroup');
    expect(pusByNode(seen.placement)).toEqual({ 0: [1], 2: [8, 9, 10, 11] });
    expectOnTheirPus(seen);
    expectNoRemotePage(seen);
    expect(Object.keys(seen.memory.own)).toEqual(['0', '2']);
  });
});

describe('the library', () => {
  test('gives buffers of which every page is on the node that was asked for', ({ guest }) => {
    const { bound, places } = guest.saw<BuffersSeen>('buffers');
    expect(places).toEqual(nodes.flatMap((each) => [each, each]));
    for (const each of nodes) {
      expect(Object.keys(bound[each] ?? {}), `nodes of the buffers on node ${each}`).toEqual([String(each)]);
      expect(bound[each]?.[each]).toBeGreaterThanOrEqual(2 * 3 * 1024 ** 2);
    }
  });

  test("lets no node's lanes work but those that numaMode names", ({ guest }) => {
    expectWorkOnlyOf(guest.saw<WorkSeen>('work for node 2'), 2);
  });

  test("fills a buffer by the lanes of the buffer's own node", ({ guest }) => {
    expectWorkOnlyOf(guest.saw<WorkSeen>("work for the buffer's node"), 1);
  });

  test("lets every node's lanes work when numaMode is all", ({ guest }) => {
    const seen = guest.saw<WorkSeen>('work for all');
    expect(seen.faults).toEqual([]);
    const ran = ranByNode(seen);
    for (const each of nodes) expect(ran[each], JSON.stringify(ran)).toBeGreaterThan(0);
  });
});

interface BuffersSeen {
  readonly bound: Record<string, BytesByNode>;
  readonly places: readonly number[];
}

interface Rates {
  readonly numaNode: number;
  readonly generate: number;
  readonly verify: number;
}

interface BenchSeen {
  readonly lanes: readonly (Rates & { readonly pu: number })[];
  readonly pools: readonly Rates[];
  readonly explain: readonly LaneExplanation[];
}

function expectWorkOnlyOf(seen: WorkSeen, worker: number): void {
  expect(seen.faults).toEqual([]);
  const { [worker]: worked, ...others } = ranByNode(seen);
  expect(worked).toBeGreaterThan(0);
  // A lane may wake up, find that the work is not for it, and go back to sleep.
  for (const [each, ns] of Object.entries(others)) expect(ns, `node ${each}`).toBeLessThan((worked ?? 0) / 50);
}
