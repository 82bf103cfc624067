import { describe, expect, test } from 'vitest';
import { contentBytes } from './content.js';
import { Engine, type EngineOptions } from './engine.js';
import { nativeAsync } from './errors.js';
import { Task, type TaskSpec } from './task.js';
import { content, outcome, twoNodes, withEngine } from './testing.js';

const closed = 'SEEDSTORM_E_ENGINE_CLOSED';
const spec: TaskSpec = {
  operation: 'generate',
  content,
  generation: 0,
  units: 2 ** 40,
  unitsPerObject: 1024,
  blockBytes: 65_536,
  sparedObjects: [],
  sink: 'null',
};

const panic = (engine: Engine): Promise<void> => nativeAsync(() => engine.inner.panicForTests());

describe('the life of an engine', () => {
  test('closing twice, or at the same time, does no harm', async () => {
    const engine = await Engine.start(twoNodes);
    await Promise.all([engine.close(), engine.close()]);
    await engine.close();
  });

  test('a closed engine says so, whatever it is asked, and says it once: no rejection is left unhandled', async () => {
    const unhandled: unknown[] = [];
    const note = (error: unknown): void => void unhandled.push(error);
    process.on('unhandledRejection', note);
    try {
      const engine = await Engine.start(twoNodes);
      await engine.close();
      expect(await outcome(engine.fill(content, 0, 0n, new Uint8Array(9)))).toBe(closed);
      expect(await outcome(engine.bench(content, 1))).toBe(closed);
      expect(await outcome(Task.prepare(engine, spec))).toBe(closed);
      expect(await outcome(panic(engine))).toBe(closed);
      expect(engine.placement).toHaveLength(2);
      // Unhandled rejections are told when the microtasks are done; those of other threads come by the event loop.
      for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
    } finally {
      process.off('unhandledRejection', note);
    }
    expect(unhandled).toEqual([]);
  });

  test('closing in the middle of work settles all of it: a caller never waits for ever', async () => {
    const engine = await Engine.start(twoNodes);
    const task = await Task.prepare(engine, spec);
    task.addRange(1n, 0n, 2n ** 22n);
    task.beginAt(0n);
    const work: Promise<unknown>[] = [
      outcome(task.ended()),
      outcome(engine.bench(content, 3600)),
      outcome(engine.fill(content, 0, 0n, new Uint8Array(1 << 20))),
      outcome(engine.fill(content, 0, 0n, new Uint8Array(9))),
    ];
    await engine.close();
    expect(await Promise.all(work)).toEqual([closed, closed, closed, closed]);
    // The task is still there to be asked what it did.
    expect(task.snapshot().pools).toHaveLength(2);
    expect(await outcome(task.ended())).toBe(closed);
    expect(() => task.addRange(2n, 0n, 1n)).toThrow(expect.objectContaining({ code: closed }));
    task.cancel();
  });

  test('closing in the middle of a fill settles it, filled or not', async () => {
    for (let i = 0; i < 20; i++) {
      const engine = await Engine.start(twoNodes);
      const fills = Array.from({ length: 4 }, () => outcome(engine.fill(content, 0, 0n, new Uint8Array(4 << 20))));
      const close = engine.close();
      for (const settled of await Promise.all(fills)) expect([undefined, closed]).toContain(settled);
      await close;
    }
  });

  test('a panic in a lane fails its own work only, and the engine stays usable', async () => {
    await withEngine(async (engine) => {
      const bytes = new Uint8Array(100_000);
      const all = [panic(engine), engine.fill(content, 0, 7n, bytes), panic(engine)].map(outcome);
      expect(await Promise.all(all)).toEqual(['SEEDSTORM_E_LANE_PANICKED', undefined, 'SEEDSTORM_E_LANE_PANICKED']);
      expect(Buffer.compare(bytes, contentBytes(content, 0, 7n, bytes.length))).toBe(0);
    });
  });

  test('many engines work side by side', async () => {
    const engines = await Promise.all(Array.from({ length: 16 }, () => Engine.start(twoNodes)));
    const buffers = engines.map(() => new Uint8Array(300_001));
    await Promise.all(buffers.map((bytes, i) => engines[i]?.fill(content, i, BigInt(i), bytes)));
    await Promise.all(engines.map((engine) => engine.close()));
    for (const [i, bytes] of buffers.entries()) {
      expect(Buffer.compare(bytes, contentBytes(content, i, BigInt(i), bytes.length))).toBe(0);
    }
  });

  test('more work at once than the engine takes is refused with a code, and the rest is done', async () => {
    await withEngine(async (engine) => {
      const task = await Task.prepare(engine, spec);
      const fills = Array.from({ length: 1030 }, () => outcome(engine.fill(content, 0, 0n, new Uint8Array(4096))));
      // The task holds the lanes, so that all fills wait.
      const ended = outcome(task.ended());
      task.cancel();
      const full = 'SEEDSTORM_E_QUEUE_FULL';
      expect(await Promise.all(fills)).toEqual([...Array(1024).fill(undefined), ...Array(6).fill(full)]);
      expect(await ended).toBe('SEEDSTORM_E_CANCELLED');
      expect(await outcome(engine.fill(content, 0, 0n, new Uint8Array(4096)))).toBeUndefined();
    });
  });

  test.each([
    ['a machine that does not exist', { topology: { xmlFile: '/nowhere/machine.xml' } }, 'TOPOLOGY_UNREADABLE'],
    ['a machine that makes no sense', { topology: { synthetic: 'a teapot' }, pin: false }, 'TOPOLOGY_UNREADABLE'],
    ['no core', { ...twoNodes, placement: { reserveCores: 99 } }, 'NO_CORES'],
    ['a negative number of lanes', { ...twoNodes, placement: { lanesPerPool: -1 } }, 'INVALID_ARGUMENT'],
    ['half a core in reserve', { ...twoNodes, placement: { reserveCores: 0.5 } }, 'INVALID_ARGUMENT'],
    ['a share beyond the shares', { ...twoNodes, placement: { shareIndex: 2, shareOf: 2 } }, 'INVALID_ARGUMENT'],
    ['half a byte of buffer', { ...twoNodes, bufferBytes: 0.5 }, 'INVALID_ARGUMENT'],
    ['a buffer beyond all memory', { ...twoNodes, bufferBytes: 2 ** 52 }, 'OUT_OF_MEMORY'],
    [
      'more huge pages than anybody set aside',
      { ...twoNodes, bufferBytes: 2 ** 30, memory: { hugePages: 'explicit' } },
      'HUGE_PAGES',
    ],
  ] satisfies [string, EngineOptions, string][])('%s is refused with a code', async (_, options, code) => {
    expect(await outcome(Engine.start(options))).toBe(`SEEDSTORM_E_${code}`);
  });

  test('says where each lane ran and where every page of its buffer is, and has nothing to complain of', async () => {
    const bufferBytes = 256 * 1024;
    const engine = await Engine.start({ bufferBytes });
    try {
      for (const lane of await engine.explain()) {
        expect(lane.ranOnPu).toBe(lane.pu);
        const pages = lane.pages.reduce((sum, { count }) => sum + count, lane.unknownPages);
        expect(pages * lane.pageBytes).toBe(lane.bufferBytes);
        expect(lane).toMatchObject({ bufferBytes, remotePages: 0 });
      }
      expect(engine.notes).toEqual([]);
    } finally {
      await engine.close();
    }
  });

  test('a bench tells what each lane did', async () => {
    await withEngine(async (engine) => {
      const lanes = await engine.bench(content, 0.01);
      expect(lanes.map(({ lane, pool, node }) => [lane, pool, node])).toEqual([
        [0, 0, 0],
        [1, 0, 0],
        [2, 1, 1],
        [3, 1, 1],
      ]);
      for (const lane of lanes) expect(Math.min(lane.generatedBytes, lane.verifiedBytes)).toBeGreaterThan(0);
      for (const seconds of [0, -1, Number.NaN, 1e9]) {
        expect(await outcome(engine.bench(content, seconds))).toBe('SEEDSTORM_E_INVALID_ARGUMENT');
      }
    });
  });
});
