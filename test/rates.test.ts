/** Rates of all agents together, on each kind of work: what was reached, and what clients would have waited. */
import { describe, expect } from 'vitest';
import { type StageLine, stageOf } from './support/messages.js';
import { bucket, credentials, oneStore } from './support/store.js';
import { test } from './support/test.js';

const arrivals = ['constant', 'poisson'] as const;
type Arrivals = (typeof arrivals)[number];

/** How far from 1 what was reached of a rate may be: five hundredths, and of random arrivals four standard deviations. */
function tolerance(of: Arrivals, operations: number): number {
  return 0.05 + (of === 'poisson' ? 4 / Math.sqrt(operations) : 0);
}

/** Asserts that a stage kept its rate, and has a response time of each of its operations. */
function expectKept(stage: StageLine, lie: Arrivals, wanted: number): void {
  const { rate, latency, name } = stage;
  const operations = rate?.response?.count ?? 0;
  expect(rate, name).toMatchObject({ of: 'operations', arrivals: lie, wanted, kept: true });
  expect(Math.abs((rate?.reached ?? 0) / wanted - 1), name).toBeLessThan(tolerance(lie, operations));
  expect(operations, name).toBe(latency?.count);
  // Lanes are never early, so clients wait at least as long as the storage takes.
  expect(rate?.response?.p50Ns, name).toBeGreaterThanOrEqual(latency?.p50Ns ?? 0);
}

describe.each(arrivals)('a rate of %s arrivals is kept by two agents together', (lie) => {
  test('in a mixed stage', async ({ sandbox }) => {
    const plan = sandbox.plan(`
data: { size: 32MiB, unit: 256KiB }
target: { kind: file, path: ${sandbox.target}, files: { count: 16 }, io: { direct: false } }
load: { lanesPerAgent: 2, queueDepth: 4 }
stages: [{ write: {} }, { mixed: { rate: 400/s, arrivals: ${lie}, duration: 5s } }, { verify: {} }, { delete: {} }]
`);
    const { code, result, stderr } = await sandbox.run('run', plan, '--agents', '2', '--json');
    expect(code, stderr).toBe(0);
    expectKept(stageOf(result, 'mixed'), lie, 400);
    expect(stageOf(result, 'verify')).toMatchObject({ complete: true, corruptBlocks: 0 });
    sandbox.expectNothingLeft();
  });

  test('in stages on names', async ({ sandbox }) => {
    const rate = (perSecond: number): string => `{ rate: ${perSecond}/s, arrivals: ${lie} }`;
    const plan = sandbox.plan(`
data: {}
target: { kind: file, path: ${sandbox.target}, tree: { directories: 400, filesPerDirectory: 4, fileSize: 3000 }, io: { sync: never } }
load: { lanesPerAgent: 2 }
stages: [{ mkdir: ${rate(100)} }, { create: ${rate(400)} }, { stat: ${rate(400)} }, { rename: ${rate(400)} }, { delete: {} }]
`);
    const { code, result, stderr } = await sandbox.run('run', plan, '--agents', '2', '--json');
    expect(code, stderr).toBe(0);
    expectKept(stageOf(result, 'mkdir'), lie, 100);
    for (const name of ['create', 'stat', 'rename']) expectKept(stageOf(result, name), lie, 400);
    expect(stageOf(result, 'delete').rate).toBeUndefined();
    sandbox.expectNothingLeft();
  });
});

describe('on an object store', () => {
  const theStore = oneStore();

  test.for(arrivals)('a rate of %s arrivals is kept by two agents together', async (lie, { sandbox, skip }) => {
    const store = theStore(skip);
    const rate = `rate: 100/s, arrivals: ${lie}`;
    const plan = sandbox.plan(`
data: { size: 8MiB, unit: 16KiB }
target: { kind: s3, endpoint: ${store.endpoint}, bucket: ${bucket}, objects: { size: 16KiB } }
load: { lanesPerAgent: 2, queueDepth: 4 }
stages: [{ write: { ${rate} } }, { read: { ${rate}, duration: 5s } }, { stat: { ${rate} } }, { delete: {} }]
`);
    const { code, result, stderr } = await sandbox.startWith(credentials, 'run', plan, '--agents', '2', '--json').ended;
    expect(code, stderr).toBe(0);
    for (const name of ['write', 'read', 'stat']) expectKept(stageOf(result, name), lie, 100);
    expect(await store.keys()).toEqual([]);
  });
});
