/** What is measured: that numbers are of what they say, also where that is uncomfortable. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FaultyDisk } from './faults/disk.js';
import { onDisk } from './faults/needs.js';
import { type StageLine, stageOf } from './support/messages.js';
import { Sandbox } from './support/sandbox.js';

let sandbox: Sandbox;
beforeEach(() => {
  sandbox = new Sandbox();
});
afterEach(() => sandbox[Symbol.asyncDispose]());

const sum = (values: readonly number[] = []): number => values.reduce((total, value) => total + value, 0);

/** Runs a plan on two agents of two lanes each. */
async function stagesOf(text: string): Promise<(name: string) => StageLine> {
  const ended = await sandbox.run('run', sandbox.plan(text), '--agents', '2', '--json');
  expect(ended.code, ended.stderr).toBe(0);
  return (name) => stageOf(ended.result, name);
}

describe('a rate', () => {
  const arrivalsWithin = [
    ['constant', '2%'],
    ['poisson', '2% and four standard deviations'],
  ] as const;

  test.each(arrivalsWithin)('of %s arrivals is that of all agents together, within %s', async (arrivals) => {
    const stage = (
      await stagesOf(`
data: { size: 80MiB, unit: 4KiB }
target: { kind: memory }
load: { lanesPerAgent: 2 }
stages: [{ write: { rate: 4000/s, arrivals: ${arrivals}, duration: 5s } }]
`)
    )('write');
    expect(stage.rate).toMatchObject({ of: 'operations', arrivals, wanted: 4000 });
    // The number of random arrivals has a standard deviation of its root.
    const chance = arrivals === 'constant' ? 0 : 4 / Math.sqrt(4000 * 5);
    expect(Math.abs((stage.rate?.reached ?? 0) / 4000 - 1)).toBeLessThan(0.02 + chance);
    expect(stage.rate?.kept).toBe(true);
    expect(stage.rate?.response?.count).toBe(stage.latency?.count);
  });

  onDisk(
    'on slow storage the response times tell what clients would wait, and service times what it takes',
    async () => {
      const slow = await FaultyDisk.make(sandbox, 'disk', { kind: 'ext4', megabytes: 200 }, { writeMs: 20 });
      try {
        const stage = (
          await stagesOf(`
data: { size: 8MiB, unit: 64KiB }
target: { kind: file, path: ${slow.disk.target()}, files: { size: 4MiB }, io: { direct: true } }
load: { lanesPerAgent: 1, queueDepth: 1 }
stages: [{ write: { rate: 2000/s } }]
`)
        )('write');
        const { response, reached = 0, lateNs = 0 } = stage.rate ?? {};
        expect(reached).toBeLessThan(0.9 * 2000);
        expect(stage.rate?.kept).toBe(false);
        expect(lateNs).toBeGreaterThan(10 * (stage.latency?.p50Ns ?? 0));
        expect(response?.p50Ns).toBeGreaterThan(5 * (stage.latency?.p50Ns ?? 0));
        expect(response?.maxNs).toBeGreaterThanOrEqual(lateNs);
      } finally {
        await slow.remove();
      }
    },
  );
});

describe('every stage', () => {
  test('has its seconds, which add up to what was done, its classes and its CPU time', async () => {
    const find = await stagesOf(`
data: { size: 64MiB, unit: 64KiB }
target: { kind: file, path: ${sandbox.target}, files: { size: 4MiB }, io: { block: 64KiB } }
stages: [{ write: { rate: 300/s } }, { verify: {} }, { delete: {} }]
`);
    for (const name of ['write', 'verify', 'delete']) {
      const { seconds, classes, agents, latency, bytes, durationNs } = find(name);
      const counters = agents.flatMap(({ pools }) => pools.flatMap((pool) => pool.counters ?? []));
      expect(sum(seconds?.bytes)).toBe(sum(counters.map((of) => of.bytes)));
      expect(sum(seconds?.operations)).toBe(sum(counters.map(({ operations }) => operations)));
      expect(Math.max(...(seconds?.agents ?? []))).toBe(2);
      expect(seconds?.firstDoneNs).toBeLessThanOrEqual(seconds?.lastDoneNs ?? 0);
      expect(seconds?.lastDoneNs).toBe(durationNs);
      expect(sum(classes.map(({ operations }) => operations))).toBe(latency?.count);
      expect(sum(classes.map((of) => of.bytes))).toBe(bytes);
      for (const { cpu } of agents) {
        expect((cpu?.processUserNs ?? 0) + (cpu?.processSystemNs ?? 0)).toBeGreaterThan(0);
      }
    }
    const { seconds } = find('write');
    expect(seconds?.whole).toBeGreaterThan(0);
    expect(seconds?.fastest?.operationsPerSecond).toBeGreaterThanOrEqual(seconds?.slowest?.operationsPerSecond ?? 0);
    expect(seconds?.median?.operationsPerSecond).toBeGreaterThan(250);
    expect(find('delete').classes.map(({ operation, size }) => [operation, size])).toEqual([['delete', '']]);
  });

  test('says what the clients could have done without the storage, and what their memory could hold', async () => {
    const plan = (more: string): string => `
data: { size: 8MiB, unit: 64KiB }
target: { kind: file, path: ${sandbox.target}, files: { size: 4MiB }, io: { direct: false } }
stages: [{ write: {} }, { verify: {} }, { read: {} }, { delete: {} }]
${more}`;
    const find = await stagesOf(plan(''));
    for (const name of ['write', 'verify']) {
      const { headroom, bytesPerSecond } = find(name);
      expect(headroom?.nullBytesPerSecond).toBeGreaterThan(1e8);
      expect(headroom?.times).toBeCloseTo((headroom?.nullBytesPerSecond ?? 0) / bytesPerSecond, 3);
    }
    expect(find('read').headroom).toBeUndefined();
    for (const name of ['verify', 'read']) {
      expect(find(name).memory).toMatchObject({ dataBytes: 8 * 1024 ** 2, hosts: 1, cacheable: true });
    }
    expect(find('write').memory).toBeUndefined();
    expect((await stagesOf(plan('headroom: false')))('write').headroom).toBeUndefined();
  });
});

describe('the terminal', () => {
  test('says plainly when a rate was not reached, and how late the last operations began', async () => {
    const plan = sandbox.plan(`
data: { size: 64MiB, unit: 4KiB }
target: { kind: 'null' }
stages: [{ write: { rate: 900000000/s } }]
`);
    const { code, stdout } = await sandbox.run('run', plan);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /the rate was not reached: .* of 900,000,000 operations\/s wanted \(\d+\.\d%\); the last operations began .* late; response times/u,
    );
  });

  test.each([
    ['arrivals without a rate', 'write: { arrivals: poisson }', 'there is no rate'],
    ['a rate that is no rate', 'write: { rate: fast }', 'is not a rate'],
    ['a rate of a delete', 'delete: { rate: 5/s }', 'rate'],
  ])('refuses %s before anything is written', async (_, stage, why) => {
    const plan = sandbox.plan(
      `\ndata: { size: 1MiB }\ntarget: { kind: file, path: ${sandbox.target} }\nstages: [{ write: {} }, { ${stage} }]\n`,
    );
    const { code, stderr } = await sandbox.run('run', plan);
    expect([code, stderr]).toEqual([2, expect.stringContaining(why)]);
    expect(sandbox.files(sandbox.target)).toEqual([]);
  });
});
