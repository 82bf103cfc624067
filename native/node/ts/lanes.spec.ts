import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { Engine } from './engine.js';
import { Task, type TaskSnapshot, type TaskSpec } from './task.js';
import { content, outcome } from './testing.js';

const machine = (name: string): string =>
  fileURLToPath(new URL(`../../../test/topologies/${name}.xml`, import.meta.url));

/** Big machines that are not this one, so nothing can be bound. */
const machines = [
  { name: 'AMD-19h-Zen4-2xEpyc-9654', smt: false, lanes: 192, nodes: 2 },
  { name: 'AMD-19h-Zen4-2xEpyc-9654', smt: true, lanes: 384, nodes: 2 },
  { name: '192em64t-12gr2n8c2t', smt: true, lanes: 384, nodes: 24 },
];
const units = 4096;
const spec: TaskSpec = {
  operation: 'generate',
  content,
  generation: 0,
  units,
  unitsPerObject: units,
  blockBytes: 4096,
  sparedObjects: [],
  sink: 'null',
};

const sum = (numbers: Iterable<number>): number => [...numbers].reduce((all, one) => all + one, 0);
const operations = ({ pools }: TaskSnapshot): number => sum(pools.map((pool) => pool.operations));

describe.each(machines)('$lanes lanes of $name', ({ name, smt, lanes, nodes }) => {
  test('start, work together, are counted, rest and end', async () => {
    const engine = await Engine.start({
      topology: { xmlFile: machine(name) },
      placement: { smt },
      bufferBytes: 2 ** 18,
      pin: false,
    });
    expect(engine.placement.map((pool) => pool.lanes.length)).toEqual(Array(nodes).fill(lanes / nodes));
    for (let turn = 0; turn < 2; turn++) {
      const task = await Task.prepare(engine, spec);
      const before = await task.snapshot();
      expect([before.allBegunNs, operations(before)]).toEqual([0n, 0]);
      expect(before.pools.map((pool) => pool.lanes)).toEqual(Array(nodes).fill(lanes / nodes));
      const startNs = process.hrtime.bigint();
      task.addRange(1n, 0n, BigInt(units));
      task.beginAt(startNs);
      task.finish();
      await task.ended();
      const after = await task.snapshot();
      expect(after.lanesReady).toBe(lanes);
      expect(after.allBegunNs).toBeGreaterThanOrEqual(startNs);
      expect(operations(after)).toBe((units * content.unitBytes) / spec.blockBytes);
      for (const pool of after.pools) {
        expect(sum(pool.classes.flatMap(({ service }) => [...service.counts]))).toBe(pool.operations);
      }
    }
    // A few of the lanes do what is for a few.
    const few = await Task.prepare(engine, { ...spec, lanes: 3 });
    few.addRange(1n, 0n, 8n);
    few.beginAt(0n);
    few.finish();
    await few.ended();
    const { lanesReady, pools } = await few.snapshot();
    expect([lanesReady, sum(pools.map((pool) => pool.lanes))]).toEqual([3, 3]);
    const buffer = new Uint8Array(2 ** 22);
    await engine.fill(content, 0, 0n, buffer);
    expect(buffer.some((byte) => byte !== 0)).toBe(true);

    const cancelled = await Task.prepare(engine, { ...spec, units: 2 ** 40 });
    const end = outcome(cancelled.ended());
    await engine.close();
    expect(await end).toBe('SEEDSTORM_E_ENGINE_CLOSED');
  });
});
