import { mkdtemp, open, readdir, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Engine } from './engine.js';
import { lookAgain, MemoryStore, monotonicNs, Task, type TaskSnapshot, type TaskSpec } from './task.js';
import { content, outcome, twoNodes } from './testing.js';

let engine: Engine;
let folder: string;
beforeAll(async () => {
  engine = await Engine.start(twoNodes);
  folder = await mkdtemp(join(tmpdir(), 'seedstorm-task-'));
});
afterAll(async () => {
  await engine.close();
  await rm(folder, { recursive: true });
});

const units = 64;
const spec: TaskSpec = {
  operation: 'write',
  content,
  generation: 0,
  units,
  unitsPerObject: 16,
  blockBytes: 4096,
  sparedObjects: [],
  sink: 'null',
};
const blocksPerUnit = content.unitBytes / spec.blockBytes;
/** So long that no lane comes to its end here. */
const endless: TaskSpec = { ...spec, operation: 'generate', units: 2 ** 40, blockBytes: content.unitBytes };

const operations = (snapshot: TaskSnapshot): number => snapshot.pools.reduce((sum, pool) => sum + pool.operations, 0);
const waitUntil = (ready: () => Promise<boolean>): Promise<boolean> =>
  vi.waitUntil(ready, { interval: 1, timeout: 10_000 });

/** Does one operation over all units, and gives the last snapshot. */
async function whole(changes: Partial<TaskSpec>, memory?: MemoryStore): Promise<TaskSnapshot> {
  const task = await Task.prepare(engine, { ...spec, ...changes }, memory);
  task.addRange(1n, 0n, BigInt(units));
  task.beginAt(0n);
  task.finish();
  await task.ended();
  return task.snapshot();
}

describe('a task', () => {
  test('works through the ranges that it is given, and tells how far each is and what its lanes did', async () => {
    const task = await Task.prepare(engine, spec);
    task.beginAt(0n);
    task.addRange(7n, 0n, 10n);
    task.addRange(2n ** 63n, 60n, 64n);
    const ranges = new Map<bigint, TaskSnapshot['ranges'][number]>();
    await waitUntil(async () => {
      for (const range of (await task.snapshot()).ranges) ranges.set(range.id, range);
      return ranges.size === 2 && [...ranges.values()].every((range) => range.complete);
    });
    expect([...ranges.values()]).toEqual([
      expect.objectContaining({ id: 7n, done: [0, 10], complete: true }),
      expect.objectContaining({ id: 2n ** 63n, done: [60, 64], complete: true }),
    ]);
    task.finish();
    await task.ended();
    const snapshot = await task.snapshot();
    expect(operations(snapshot)).toBe(14 * blocksPerUnit);
    expect(snapshot.ranges).toEqual([]);
    expect(snapshot.pools.map(({ numaNode, lanes }) => [numaNode, lanes])).toEqual([
      [0, 2],
      [1, 2],
    ]);
    expect(snapshot.startedNs).toBeGreaterThan(0n);
    expect(snapshot.lastDoneNs).toBeGreaterThanOrEqual(snapshot.startedNs);
    expect(snapshot.takenNs).toBeGreaterThanOrEqual(snapshot.lastDoneNs);
    expect(snapshot.takenNs).toBeLessThanOrEqual(monotonicNs());
  });

  test('tells the bytes of a fault and what was seen at once; anybody can look at the place again without an engine', async () => {
    const files = { ...spec, sink: 'file', folders: [join(folder, 'faulty')] } satisfies TaskSpec;
    await whole(files);
    const file = join(folder, 'faulty', 'f00000001');
    const handle = await open(file, 'r+');
    await handle.write(new Uint8Array(512), 0, 512, 1024);
    await handle.close();
    const { findings } = await whole({ ...files, operation: 'verify', evidence: true });
    expect(findings).toMatchObject([{ kind: 'zeroed', path: file, offset: 1024, again: { saw: 'same' } }]);
    const [found] = findings;
    if (found === undefined) throw new Error('no fault');
    expect([...(found.actual ?? [])]).toEqual(Array.from({ length: 512 }, () => 0));
    expect(found.expected).toHaveLength(512);
    expect(await lookAgain(files, found)).toMatchObject({ saw: 'same', detail: '' });
    const mended = await open(file, 'r+');
    await mended.write(found.expected ?? new Uint8Array(), 0, 512, 1024);
    await mended.close();
    expect(await lookAgain(files, found)).toMatchObject({ saw: 'right' });
    await truncate(file, 1024);
    expect(await lookAgain(files, found)).toMatchObject({ saw: 'other', detail: 'truncated' });
    await expect(lookAgain(files, { ...found, object: 99 })).rejects.toMatchObject({
      code: 'SEEDSTORM_E_INVALID_ARGUMENT',
    });
    await rm(files.folders[0] ?? '', { recursive: true });
  });

  test('lets as many errors of a kind pass as it is told, and says which units failed, at which file and why', async () => {
    const files = { ...spec, sink: 'file', folders: [join(folder, 'short')] } satisfies TaskSpec;
    await whole(files);
    await rm(join(folder, 'short', 'f00000003'));
    const errors = { ofKind: { missing: 16 }, inAll: 16 };
    const read = await whole({ ...files, operation: 'read', errors });
    expect(read.ranges).toMatchObject([{ done: [0, 48], failed: [48, 64], complete: true }]);
    expect(read.errors.reduce((sum, { count }) => sum + count, 0)).toBe(16);
    for (const { kind, path, first } of read.errors) {
      expect([kind, path, first.code]).toEqual([
        'missing',
        join(folder, 'short', 'f00000003'),
        'SEEDSTORM_E_OBJECT_MISSING',
      ]);
    }
    const strict = await whole({ ...files, operation: 'read' });
    expect(strict.ranges).toMatchObject([{ complete: false, error: { code: 'SEEDSTORM_E_OBJECT_MISSING' } }]);
    await rm(files.folders[0] ?? '', { recursive: true });
    await expect(Task.prepare(engine, { ...spec, errors: { ofKind: { luck: 1 }, inAll: 1 } })).rejects.toMatchObject({
      code: 'SEEDSTORM_E_INVALID_ARGUMENT',
    });
  });

  test('gives what is new to one of many who ask at once, in their order: nothing is counted twice or lost', async () => {
    const task = await Task.prepare(engine, spec);
    task.beginAt(0n);
    task.addRange(1n, 0n, BigInt(units));
    task.finish();
    const settled: number[] = [];
    const asked: Promise<TaskSnapshot>[] = [];
    const ask = (): void => {
      const nth = asked.length;
      const snapshot = task.snapshot();
      asked.push(snapshot);
      void snapshot.then(() => settled.push(nth));
    };
    for (let i = 0; i < 50; i++) ask();
    await task.ended();
    for (let i = 0; i < 50; i++) ask();
    const snapshots = await Promise.all(asked);
    expect(settled).toEqual(asked.map((_, nth) => nth));
    const rising = snapshots.map(operations);
    expect(rising).toEqual(rising.toSorted((a, b) => a - b));
    expect(rising.slice(50)).toEqual(Array(50).fill(units * blocksPerUnit));
    const classes = snapshots.flatMap(({ pools }) => pools.flatMap((pool) => pool.classes));
    const latencies = classes.map(({ service }) => service);
    expect(latencies.flatMap(({ counts }) => [...counts]).reduce((sum, count) => sum + count, 0)).toBe(rising.at(-1));
    expect(snapshots.filter(({ ranges }) => ranges.some(({ complete }) => complete))).toHaveLength(1);
  });

  test('comes in the order of asking, also when the last is asked for as soon as the task has ended', async () => {
    const order: string[] = [];
    for (let round = 0; round < 300; round++) {
      const task = await Task.prepare(engine, spec);
      const ended = outcome(task.ended()).then(() => task.snapshot().then(() => order.push('last')));
      task.cancel();
      // This thread is kept until both may be there: the loop then finds all that was settled meanwhile at once.
      const before = task.snapshot().then(() => order.push('before'));
      for (const until = performance.now() + (round % 10) / 5; performance.now() < until; );
      await Promise.all([before, ended]);
    }
    expect(order).toEqual(Array(300).fill(['before', 'last']).flat());
  });

  test('refuses to pile up snapshots that nobody waits for', async () => {
    const task = await Task.prepare(engine, endless);
    // With so much to tell of, a snapshot takes longer than to ask for one.
    for (let id = 0n; id < 60n; id++) task.addRange(id, id, id + 1n);
    const outcomes = await Promise.all(Array.from({ length: 10_000 }, () => outcome(task.snapshot())));
    expect(new Set(outcomes.filter((taken) => typeof taken === 'string'))).toEqual(new Set(['SEEDSTORM_E_QUEUE_FULL']));
    expect((await task.snapshot()).pools).toHaveLength(2);
    task.cancel();
    await outcome(task.ended());
  });

  test('tells its end to everybody who asks, before and after it', async () => {
    const task = await Task.prepare(engine, spec);
    const before = [task.ended(), task.ended()];
    task.beginAt(0n);
    task.finish();
    await Promise.all(before);
    await task.ended();
    // What comes after the end changes nothing.
    task.finish();
    task.cancel();
    task.sync();
    task.fenceRange(1n);
    await task.ended();
    expect(() => task.addRange(1n, 0n, 1n)).toThrow(expect.objectContaining({ code: expect.any(String) }));
  });

  test('that is cancelled says so, in the middle of its work and before its start', async () => {
    for (const begins of [true, false]) {
      const task = await Task.prepare(engine, endless);
      const ended = outcome(task.ended());
      task.addRange(1n, 0n, 2n ** 22n);
      if (begins) {
        task.beginAt(0n);
        await waitUntil(async () => operations(await task.snapshot()) > 0);
      }
      task.cancel();
      expect(await ended).toBe('SEEDSTORM_E_CANCELLED');
      expect(await outcome(task.ended())).toBe('SEEDSTORM_E_CANCELLED');
    }
  });

  test('begins at the common start and not before', async () => {
    const task = await Task.prepare(engine, spec);
    const startNs = monotonicNs() + 50_000_000n;
    task.addRange(1n, 0n, 4n);
    task.beginAt(startNs);
    task.finish();
    await task.ended();
    expect((await task.snapshot()).startedNs).toBeGreaterThanOrEqual(startNs);
  });

  test('submits nothing past its deadline, and goes on when that is moved', async () => {
    const task = await Task.prepare(engine, endless);
    task.addRange(1n, 0n, 2n ** 22n);
    task.setDeadline(monotonicNs() - 1n);
    task.beginAt(0n);
    // A short task on another engine shows that lanes have long had time to begin.
    const other = await Engine.start(twoNodes);
    await other.fill(content, 0, 0n, new Uint8Array(1 << 20));
    await other.close();
    expect(operations(await task.snapshot())).toBe(0);

    task.setDeadline(monotonicNs() + 3_600_000_000_000n);
    await waitUntil(async () => operations(await task.snapshot()) > 0);

    const deadlineNs = monotonicNs();
    task.setDeadline(deadlineNs);
    let before = -1;
    await waitUntil(async () => {
      const now = operations(await task.snapshot());
      const same = now === before;
      before = now;
      return same && (await task.snapshot()).lastDoneNs > 0n && monotonicNs() > deadlineNs + 20_000_000n;
    });
    expect(operations(await task.snapshot())).toBe(before);
    task.cancel();
    await outcome(task.ended());
  });

  test('leaves a range that was taken back, and does the others', async () => {
    const task = await Task.prepare(engine, { ...endless, lanes: 1 });
    task.addRange(1n, 0n, 2n ** 22n);
    task.addRange(2n, 2n ** 30n, 2n ** 30n + 3n);
    task.beginAt(0n);
    await waitUntil(async () => operations(await task.snapshot()) > 0);
    task.fenceRange(1n);
    task.fenceRange(99n);
    await waitUntil(async () => (await task.snapshot()).ranges.some(({ id, complete }) => id === 2n && complete));
    task.finish();
    await task.ended();
  });

  test.each([
    ['a range that is empty', 1n, 5n, 5n],
    ['a range beyond the layout', 1n, 0n, 65n],
    ['a negative unit', 1n, -1n, 5n],
    ['an id that is in use', 0n, 0n, 1n],
    ['an id beyond 64 bits', 2n ** 64n, 0n, 1n],
  ])('refuses %s', async (_, id, first, end) => {
    const task = await Task.prepare(engine, spec);
    task.addRange(0n, 0n, 1n);
    expect(() => task.addRange(id, first, end)).toThrow(
      expect.objectContaining({ code: 'SEEDSTORM_E_INVALID_ARGUMENT' }),
    );
    task.cancel();
    await outcome(task.ended());
  });

  test.each<[string, Partial<TaskSpec>]>([
    ['a block that does not fit the unit', { blockBytes: 5000 }],
    ['half a byte of block', { blockBytes: 512.5 }],
    ['no lanes', { lanes: 0 }],
    ['2^32 lanes, which must not become none', { lanes: -1 }],
    ['a generation beyond 16 bits', { generation: 65_536 }],
    ['a generation that 32 bits would wrap to 0', { generation: 2 ** 32 }],
    ['objects of no unit', { unitsPerObject: 0 }],
    ['a spared object that is no number of one', { sparedObjects: [-1] }],
    ['files without a folder', { sink: 'file' }],
    ['memory without a store', { sink: 'memory' }],
    ['a sync that nobody knows', { sink: 'file', folders: ['/tmp'], sync: 'sometimes' }],
    ['reading from nowhere', { operation: 'read' }],
  ])('is refused with %s', async (_, wrong) => {
    expect(await outcome(Task.prepare(engine, { ...spec, ...wrong }))).toBe('SEEDSTORM_E_INVALID_ARGUMENT');
  });

  test('on files writes, verifies and removes exactly its own', async () => {
    const own: Partial<TaskSpec> = { sink: 'file', folders: [join(folder, 'run')], direct: 'auto', sync: 'range' };
    const written = await whole(own);
    expect(operations(written)).toBe(units * blocksPerUnit);
    expect((await readdir(join(folder, 'run'))).length).toBeGreaterThan(0);
    const verified = await whole({ ...own, operation: 'verify' });
    expect([operations(verified), verified.findings, verified.findingCounts]).toEqual([units * blocksPerUnit, [], []]);
    await whole({ ...own, operation: 'delete' });
    await rm(join(folder, 'run'), { recursive: true, force: true });
    expect(await readdir(folder)).toEqual([]);
  });

  test('that finds another content than it expects tells where', async () => {
    const memory = MemoryStore.create(content.unitBytes, units, 1e9);
    await whole({ sink: 'memory' }, memory);
    const verified = await whole({ sink: 'memory', operation: 'verify', generation: 1 }, memory);
    expect(verified.pools.reduce((sum, pool) => sum + pool.corruptBlocks, 0)).toBe(units * blocksPerUnit);
    expect(verified.findingCounts.map(({ kind }) => kind)).toEqual(['stale']);
    expect(verified.findings[0]).toMatchObject({ kind: 'stale', generation: 1, detail: 'it holds generation 0' });
  });

  test('of a target that is missing is refused with the code that the command shows', async () => {
    const refused = Task.prepare(engine, { ...spec, sink: 'file', folders: [join(folder, 'no', 'run')] });
    expect(await outcome(refused)).toBe('SEEDSTORM_E_TARGET_MISSING');
  });
});
