/** What the scripts in guest/ tell, and what must be true of it whatever the shape. */
import type { LaneExplanation, PoolPlacement, Topology } from '@seedstorm/native';
import { expect } from 'vitest';

/** How a command in the guest ended. */
export interface CommandSeen {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Bytes by node. */
export type BytesByNode = Record<string, number>;

/** What an engine that has worked says of itself, and what the kernel says of it: threads and memory. */
export interface LanesSeen {
  readonly topology: Topology;
  readonly placement: readonly PoolPlacement[];
  readonly notes: readonly string[];
  readonly explained: readonly LaneExplanation[];
  /** The lists of PUs that the process's other threads may run on, each once. */
  readonly others: readonly string[];
  readonly threads: readonly {
    readonly name: string;
    readonly allowedPus: string;
    readonly lastPu: number;
    readonly ranNs: number;
  }[];
  readonly memory: {
    /** By the node that it was bound to. */
    readonly bound: Record<string, BytesByNode>;
    readonly own: BytesByNode;
  };
}

/** How long each lane ran while a buffer was filled. */
export interface WorkSeen {
  readonly placement: readonly PoolPlacement[];
  readonly ranNs: readonly { readonly lane: string; readonly ns: number }[];
  readonly faults: readonly unknown[];
}

/** What `seedstorm topology --json` prints. */
export interface TopologySeen {
  readonly topology: Topology;
  readonly pools: readonly PoolPlacement[];
}

/** Bytes of a lane's buffer unless asked for otherwise. */
export const usualBufferBytes = 1024 ** 2;

/** The JSON of a command that ended well. */
export function printed<T>({ code, signal, stdout, stderr }: CommandSeen): T {
  expect({ code, signal }, stderr).toEqual({ code: 0, signal: null });
  return JSON.parse(stdout) as T;
}

/** The PUs of the lanes, by the node of their pool. */
export function pusByNode(pools: readonly PoolPlacement[]): Record<number, number[]> {
  return Object.fromEntries(pools.map(({ numaNode, lanes }) => [numaNode, lanes.map(({ pu }) => pu)]));
}

/** Asserts that each lane was pinned to its PU alone, and ran there. */
export function expectOnTheirPus({ placement, threads }: LanesSeen): void {
  const lanes = placement.flatMap((pool) => pool.lanes);
  expect(lanes.length).toBeGreaterThan(0);
  const asked = lanes.map(({ index, pu }) => ({ name: `lane-${index}`, allowedPus: `${pu}`, lastPu: pu }));
  const is = threads.map(({ name, allowedPus, lastPu }) => ({ name, allowedPus, lastPu }));
  expect(byName(is)).toEqual(byName(asked));
  for (const { name, ranNs } of threads) expect(ranNs, `${name} ran`).toBeGreaterThan(0);
}

/** Asserts that each pool's buffers are on its memory node, to the last page, and nowhere else. */
export function expectNoRemotePage({ placement, memory }: LanesSeen, bufferBytes = usualBufferBytes): void {
  const asked: Record<string, BytesByNode> = {};
  for (const { memoryNode, lanes } of placement) {
    const bytes = (asked[memoryNode]?.[memoryNode] ?? 0) + lanes.length * bufferBytes;
    asked[memoryNode] = { [memoryNode]: bytes };
  }
  expect(memory.bound).toEqual(asked);
}

/** Asserts that what is told of each lane is that it is where it was placed, with all of its pages. */
export function expectToldAtHome(
  explained: readonly LaneExplanation[],
  placement: readonly PoolPlacement[],
  bufferBytes = usualBufferBytes,
): void {
  const asked = placement.flatMap(({ numaNode, memoryNode, lanes }, pool) =>
    lanes.map(({ index, pu }) => ({ lane: index, pool, numaNode, memoryNode, pu, ranOnPu: pu, bufferBytes })),
  );
  const nowhereElse = { remotePages: 0, unknownPages: 0 };
  expect(explained).toEqual(asked.map((lane) => expect.objectContaining({ ...lane, ...nowhereElse })));
  for (const { memoryNode, pageBytes, pages } of explained) {
    expect(pages).toEqual([{ node: memoryNode, count: bufferBytes / pageBytes }]);
  }
}

/** How long the lanes of each node ran, in all. */
export function ranByNode({ placement, ranNs }: WorkSeen): Record<number, number> {
  const ran = new Map(ranNs.map(({ lane, ns }) => [lane, ns]));
  const sum = (lanes: PoolPlacement['lanes']): number =>
    lanes.reduce((total, { index }) => total + (ran.get(`lane-${index}`) ?? 0), 0);
  return Object.fromEntries(placement.map(({ numaNode, lanes }) => [numaNode, sum(lanes)]));
}

function byName<T extends { readonly name: string }>(threads: readonly T[]): T[] {
  return [...threads].sort((a, b) => a.name.localeCompare(b.name));
}
