/** Memory that must lie on the lanes' own node, when that node is too full for it; and huge pages that were set aside. */
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
} from './seen.js';

const mebibyte = 1024 ** 2;
/** What each lane asks for; guest/strict-memory.mjs leaves less than one of them on node 1. */
const bufferBytes = 64 * mebibyte;
const shape = {
  nodes: [
    { cpus: 2, mebibytes: 1024 },
    { cpus: 2, mebibytes: 512 },
  ],
  distances: [
    [10, 20],
    [20, 10],
  ],
};
const test = testIn(shape, 'strict-memory');

describe('strict memory on a node that is too full', () => {
  test('is an error that names the node and the bytes asked and free', ({ guest }) => {
    const { error } = guest.saw<RefusalSeen>('a strict engine and then another');
    expect(error?.code).toBe('SEEDSTORM_E_NUMA_MEMORY');
    const told = /^(\d+) bytes were asked for on NUMA node 1, strictly, and (\d+) are free there$/u.exec(
      error?.what ?? '',
    );
    expect(told, error?.what).not.toBeNull();
    expect(Number(told?.[1])).toBeGreaterThanOrEqual(bufferBytes);
    expect(Number(told?.[2])).toBeLessThan(bufferBytes);
    expect(error?.mend).toMatch(/preferred/u);
  });

  test('leaves none of its memory behind', ({ guest }) => {
    expect(guest.saw<RefusalSeen>('a strict engine and then another').left).toEqual({});
  });

  test('leaves the process alive: an engine that prefers the node starts, works, and tells which pages are remote', ({
    guest,
  }) => {
    const { generatedBytes, explained, bound } = guest.saw<RefusalSeen>('a strict engine and then another');
    expect(generatedBytes).toHaveLength(2);
    for (const bytes of generatedBytes) expect(bytes).toBeGreaterThan(0);
    expect(explained.map(({ memoryNode }) => memoryNode)).toEqual([1, 1]);
    const told: BytesByNode = {};
    for (const { pages, pageBytes } of explained) {
      for (const { node, count } of pages) told[node] = (told[node] ?? 0) + count * pageBytes;
    }
    expect(told).toEqual(bound[1]);
    expect(told[0]).toBeGreaterThan(0);
    expect((told[0] ?? 0) + (told[1] ?? 0)).toBe(2 * bufferBytes);
    const remote = explained.reduce((sum, { remotePages, pageBytes }) => sum + remotePages * pageBytes, 0);
    expect(remote).toBe(told[0]);
  });

  test('fails the run of an agent, with its code, and not the agent', ({ guest }) => {
    const { code, stdout, stderr } = guest.saw<CommandSeen>('a run on a strict agent');
    expect(code, stderr).toBe(1);
    expect(`${stdout}\n${stderr}`).toMatch(/SEEDSTORM_E_NUMA_MEMORY/u);
    expect(guest.saw<{ isAlive: boolean }>('the agent').isAlive).toBe(true);
  });

  test('is had by the same agent as soon as the node has room', ({ guest }) => {
    const { code, stderr } = guest.saw<CommandSeen>('a run when the node has room again');
    expect(code, stderr).toBe(0);
  });
});

describe('huge pages that were set aside', () => {
  test('of the right node are what buffers lie on, all of them', ({ guest }) => {
    const seen = guest.saw<LanesSeen>('huge pages of node 1');
    expectOnTheirPus(seen);
    expectNoRemotePage(seen, 8 * mebibyte);
    expectToldAtHome(seen.explained, seen.placement, 8 * mebibyte);
    for (const { pageBytes, hugeBytes } of seen.explained) {
      expect({ pageBytes, hugeBytes }).toEqual({ pageBytes: 2 * mebibyte, hugeBytes: 8 * mebibyte });
    }
  });

  test('are not taken from another node: none on the own one is an error that says where to set them aside', ({
    guest,
  }) => {
    const { error } = guest.saw<RefusalSeen>('huge pages of node 0');
    expect(error?.code).toBe('SEEDSTORM_E_HUGE_PAGES');
    expect(error?.what).toMatch(/NUMA node 0/u);
    expect(error?.mend).toMatch(/node0\/hugepages\/hugepages-2048kB\/nr_hugepages/u);
  });
});

/** An engine that could not be had, and one of the same process that could. */
interface RefusalSeen {
  readonly error?: { readonly code: string; readonly what: string; readonly mend: string };
  /** What was bound to nodes after the refusal. */
  readonly left: Record<string, BytesByNode>;
  readonly generatedBytes: readonly number[];
  readonly explained: readonly LaneExplanation[];
  readonly bound: Record<string, BytesByNode>;
}
