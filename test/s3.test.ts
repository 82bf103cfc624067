/** An S3 store as the target: a real one, its faults, and what is left in it. */
import { describe, expect } from 'vitest';
import type { Command, Ended } from './support/command.js';
import { expectError, expectNoTrace } from './support/errors.js';
import { stageOf } from './support/messages.js';
import type { Sandbox } from './support/sandbox.js';
import { bucket, credentials, oneStore, type Store, secret } from './support/store.js';
import { test } from './support/test.js';

const KiB = 1024;
const MiB = 1024 ** 2;

const theStore = oneStore();

/** A plan for a store; `more` is the rest of its target. */
function planFor(sandbox: Sandbox, store: Store, data: string, more: string, rest = ''): string {
  const stages = rest.includes('stages:')
    ? ''
    : 'stages: [{ write: {} }, { read: {} }, { verify: {} }, { delete: {} }]';
  return sandbox.plan(`
data: ${data}
target: { kind: s3, endpoint: ${store.endpoint}, bucket: ${bucket}, prefix: teams/storage, ${more} }
${rest}
${stages}
`);
}

function start(sandbox: Sandbox, plan: string, ...flags: string[]): Command {
  return sandbox.startWith(credentials, 'run', plan, '--json', ...flags);
}

/** Waits for a run's end. Nobody may see the secret, whatever happens. */
async function endOf(run: Command): Promise<Ended> {
  const ended = await run.ended;
  expect(ended.stdout + ended.stderr).not.toContain(secret);
  expectNoTrace(ended);
  return ended;
}

async function expectEmpty(store: Store): Promise<void> {
  expect(await store.keys()).toEqual([]);
  expect(await store.notes()).toEqual([]);
  expect(await store.openUploads()).toEqual([]);
}

/** Requests of a kind in a stage. */
function requests({ result }: Ended, stage: string, kind: string): number {
  return stageOf(result, stage).store?.requests.find((each) => each.kind === kind)?.requests ?? 0;
}

describe('objects in a bucket', () => {
  test('that are small are written, read, verified and deleted whole, each by one request', async ({
    sandbox,
    skip,
  }) => {
    const store = theStore(skip);
    const stages = 'stages: [{ write: {} }, { read: {} }, { stat: {} }, { list: {} }, { verify: {} }, { delete: {} }]';
    const plan = planFor(sandbox, store, '{ size: 16MiB, unit: 64KiB }', 'objects: { size: 64KiB }', stages);
    const ended = await endOf(start(sandbox, plan, '--agents', '2'));
    expect(ended.code, ended.stderr).toBe(0);
    expect(requests(ended, 'write', 'PUT')).toBe(256);
    expect(requests(ended, 'read', 'GET')).toBe(256);
    expect(requests(ended, 'verify', 'GET')).toBe(256);
    expect(requests(ended, 'stat', 'HEAD')).toBe(256);
    expect(requests(ended, 'list', 'LIST')).toBeGreaterThan(0);
    for (const stage of ['stat', 'list']) {
      expect(stageOf(ended.result, stage)).toMatchObject({ complete: true, corruptBlocks: 0, errors: 0 });
    }
    expect(requests(ended, 'delete', 'DELETE')).toBe(256);
    const verify = stageOf(ended.result, 'verify');
    expect(verify).toMatchObject({ complete: true, unitsDone: 256, corruptBlocks: 0, errors: 0 });
    expect(verify.queues?.engines).toEqual(['s3']);
    expect(verify.store?.statuses).toEqual([]);
    const firstByte = verify.classes.find(({ operation }) => operation === 'first-byte');
    expect(firstByte).toMatchObject({ operations: 256, size: '64KiB' });
    expect(firstByte?.latency?.p50Ns).toBeLessThan(verify.latency?.maxNs ?? 0);
    expect(ended.result.leftBehind).toEqual([]);
    await expectEmpty(store);
  });

  test('that are larger than a part are made of parts by several lanes, and read in ranges', async ({
    sandbox,
    skip,
  }) => {
    const store = theStore(skip);
    const target = 'objects: { size: 17MiB }, part: 5MiB';
    const plan = planFor(sandbox, store, '{ size: 68MiB, unit: 1MiB }', target, 'load: { lanesPerAgent: 2 }');
    const ended = await endOf(start(sandbox, plan, '--agents', '1'));
    expect(ended.code, ended.stderr).toBe(0);
    expect(requests(ended, 'write', 'begin upload')).toBe(4);
    expect(requests(ended, 'write', 'PUT part')).toBe(16);
    expect(requests(ended, 'write', 'complete upload')).toBe(4);
    expect(requests(ended, 'write', 'PUT')).toBe(0);
    expect(requests(ended, 'verify', 'GET')).toBe(16);
    await expectEmpty(store);
  });

  test('have sizes of a distribution, and lanes of one agent use all endpoints', async ({ sandbox, skip }) => {
    const store = theStore(skip);
    const plan = sandbox.plan(`
data: { size: 96MiB, unit: 64KiB }
target:
  kind: s3
  endpoints: [${store.endpoint}, ${store.otherEndpoint}]
  bucket: ${bucket}
  signing: unsigned
  part: 5MiB
  objects: { sizes: { lognormal: { median: 512KiB, sigma: 1.5, max: 12MiB } } }
load: { lanesPerAgent: 2 }
stages: [{ write: {} }, { verify: {} }, { delete: { delay: 2s } }]
`);
    const run = start(sandbox, plan, '--agents', '2');
    await run.event('stage-ended', 'verify');
    const keys = await store.keys();
    const lengths = await Promise.all(keys.map(async (key) => (await store.read(key)).length));
    expect(new Set(lengths).size).toBeGreaterThan(2);
    expect(lengths.reduce((sum, length) => sum + length, 0)).toBe(96 * MiB);
    const ended = await endOf(run);
    expect(ended.code, ended.stderr).toBe(0);
    expect(stageOf(ended.result, 'verify')).toMatchObject({ complete: true, corruptBlocks: 0, errors: 0 });
    await expectEmpty(store);
  });

  test('hold data that dedups and compresses as asked', async ({ sandbox, skip }) => {
    const store = theStore(skip);
    const data = '{ size: 8MiB, unit: 64KiB, dedup: { ratio: 2, window: 16 }, compress: { ratio: 2 } }';
    const stages = 'stages: [{ write: {} }, { verify: {} }, { delete: { delay: 2s } }]';
    const run = start(sandbox, planFor(sandbox, store, data, 'objects: { size: 64KiB }', stages), '--agents', '1');
    await run.event('stage-ended', 'verify');
    const objects = await Promise.all((await store.keys()).map((key) => store.read(key)));
    expect(new Set(objects.map((bytes) => bytes.toString('latin1'))).size).toBe(64);
    expect((await endOf(run)).code).toBe(0);
    await expectEmpty(store);
  });
});

test('faults in the store are named with the key, looked at again by another agent, and left as evidence', async ({
  sandbox,
  skip,
}) => {
  const store = theStore(skip);
  const stages = 'stages: [{ write: {} }, { verify: { delay: 4s } }, { delete: {} }]';
  const plan = planFor(sandbox, store, '{ size: 4MiB, unit: 64KiB }', 'objects: { size: 128KiB }', stages);
  const run = start(sandbox, plan, '--agents', '2');
  await run.event('stage-ended', 'write');
  const keys = await store.keys();
  const key = (object: number): string => keys[object] ?? '';
  const bytes = await Promise.all(keys.map((each) => store.read(each)));
  const of = (object: number): Buffer => Buffer.from(bytes[object] ?? '');
  const flipped = of(5);
  flipped[70_000] = (flipped[70_000] ?? 0) ^ 1;
  await store.write(key(5), flipped);
  await store.write(key(7), of(8));
  await store.write(key(8), of(7));
  await store.remove(key(10));
  await store.write(key(12), of(12).subarray(0, 100 * KiB));
  const ended = await endOf(run);
  expect(ended.code, ended.stderr).toBe(3);
  // Where each unit of an object is wrong, the first of them.
  const all = [...ended.result.findings].sort((a, b) => b.offset - a.offset);
  const found = new Map(all.map((finding) => [finding.path, finding]));
  const path = (object: number): string => `s3://${bucket}/${key(object)}`;
  expect([...found.keys()].sort()).toEqual([5, 7, 8, 10, 12].map(path).sort());
  expect(found.get(path(5))).toMatchObject({ kind: 'bit flip', offset: Math.floor(70_000 / 512) * 512, unit: 11 });
  expect(found.get(path(7))).toMatchObject({ kind: 'misdirected', offset: 0 });
  expect(found.get(path(7))?.detail).toContain('unit 16');
  expect(found.get(path(8))?.detail).toContain('unit 14');
  expect(found.get(path(10))).toMatchObject({ kind: 'missing', offset: 0, length: 128 * KiB });
  const truncated = { kind: 'truncated', offset: 100 * KiB, length: 28 * KiB };
  expect(found.get(path(12))).toMatchObject({ ...truncated, detail: `the object has ${100 * KiB} bytes` });
  for (const finding of ended.result.findings) {
    expect(finding).toMatchObject({ verdict: 'persistent', writer: expect.stringMatching(/^agent-/u) });
    expect(finding.readers).toHaveLength(2);
  }
  const left = [5, 7, 8, 12];
  expect(await store.keys()).toEqual(left.map(key).sort());
  expect(ended.result.leftBehind).toEqual(left.map(path).sort());
  for (const object of left) await store.remove(key(object));
});

test('an object that is gone or too short is found by its name alone', async ({ sandbox, skip }) => {
  const store = theStore(skip);
  const stages = 'stages: [{ write: {} }, { stat: { delay: 3s } }, { list: {} }, { delete: {} }]';
  const plan = planFor(sandbox, store, '{ size: 4MiB, unit: 64KiB }', 'objects: { size: 128KiB }', stages);
  const run = start(sandbox, plan, '--agents', '1');
  await run.event('stage-ended', 'write');
  const keys = await store.keys();
  const [gone = '', short = ''] = [keys[3], keys[9]];
  await store.remove(gone);
  await store.write(short, (await store.read(short)).subarray(0, 1000));
  const ended = await endOf(run);
  expect(ended.code, ended.stderr).toBe(3);
  const kinds = (stage: string) => stageOf(ended.result, stage).findingCounts;
  expect(kinds('stat')).toEqual(
    expect.arrayContaining([
      { kind: 'missing', count: 1 },
      { kind: 'truncated', count: 1 },
    ]),
  );
  expect(kinds('list')).toEqual([{ kind: 'missing', count: 1 }]);
  expect(await store.keys()).toEqual([short]);
  await store.remove(short);
});

describe('a server that is killed in mid-run', () => {
  const many = '{ size: 128MiB, unit: 32KiB }';

  test('and started again costs attempts, which are counted, where the plan allows for them', async ({
    sandbox,
    skip,
  }) => {
    const store = theStore(skip);
    const target = 'objects: { size: 32KiB }, retries: { attempts: 20, backoff: 50ms }';
    const run = start(sandbox, planFor(sandbox, store, many, target), '--agents', '1');
    await run.midStage('write');
    await store.kill();
    await store.startAgain();
    const ended = await endOf(run);
    expect(ended.code, ended.stderr).toBe(0);
    const write = stageOf(ended.result, 'write');
    const put = write.store?.requests.find(({ kind }) => kind === 'PUT');
    expect(put?.requests).toBe(4096);
    expect(put?.attempts).toBeGreaterThan(4096);
    const failed = write.store?.statuses.reduce((sum, { count }) => sum + count, 0);
    expect(failed).toBe((put?.attempts ?? 0) - 4096);
    expect(stageOf(ended.result, 'verify')).toMatchObject({ complete: true, unitsDone: 4096, corruptBlocks: 0 });
    await expectEmpty(store);
  });

  test('costs the units whose errors the plan lets pass, and no others', async ({ sandbox, skip }) => {
    const store = theStore(skip);
    const rest = 'errors: { upTo: 1000000 }\nload: { lanesPerAgent: 1, queueDepth: 2 }';
    // Attempts take their time, or all that is left would have failed before the server is back.
    const target = 'objects: { size: 32KiB }, retries: { attempts: 2, backoff: 20ms }';
    const run = start(sandbox, planFor(sandbox, store, many, target, rest), '--agents', '1');
    await run.midStage('write');
    await store.kill();
    await store.startAgain();
    const ended = await endOf(run);
    const write = stageOf(ended.result, 'write');
    expect(ended.result.outcome, ended.stderr).toBe('errors');
    expect(write.unitsFailed).toBeGreaterThan(0);
    expect(write.unitsDone + write.unitsFailed).toBe(4096);
    expect(write.ioErrors.every(({ kind }) => kind === 'write')).toBe(true);
    const verify = stageOf(ended.result, 'verify');
    expect(verify).toMatchObject({ complete: true, corruptBlocks: 0, unitsNotWritten: write.unitsFailed });
    await expectEmpty(store);
  });

  test('ends the run with the error and the place of what is left, where it does not come back', async ({
    sandbox,
    skip,
  }) => {
    const store = theStore(skip);
    const run = start(sandbox, planFor(sandbox, store, many, 'objects: { size: 32KiB }'), '--agents', '1');
    await run.midStage('write');
    await store.kill();
    const ended = await endOf(run);
    expect(ended.code, ended.stderr).toBe(1);
    expect(ended.result.error?.code).toBe('SEEDSTORM_E_UNREACHABLE');
    expect(ended.result.error?.what).toMatch(/could not PUT qualify\/teams\/storage\//u);
    expect(ended.result.leftBehind).toEqual([expect.stringMatching(/^s3:\/\/qualify\/teams\/storage\/[^/]+\/$/u)]);
    await store.startAgain();
    for (const key of await store.keys()) await store.remove(key);
  });
});

test('Ctrl-C in the middle of uploads leaves neither an object nor an open upload', async ({ sandbox, skip }) => {
  const store = theStore(skip);
  const rest = 'load: { lanesPerAgent: 2, queueDepth: 1 }';
  const target = 'objects: { size: 40MiB }, part: 5MiB';
  const plan = planFor(sandbox, store, '{ size: 1600MiB, unit: 1MiB }', target, rest);
  const run = start(sandbox, plan, '--agents', '2');
  await run.progress('write', ({ unitsDone }) => unitsDone > 0, 'an object');
  expect((await store.openUploads()).length).toBeGreaterThan(0);
  run.signal('SIGINT');
  const ended = await endOf(run);
  expect(ended.code, ended.stderr).toBe(130);
  expect(ended.result.leftBehind).toEqual([]);
  await expectEmpty(store);
});

describe('is refused before anything is written:', () => {
  const small = '{ size: 1MiB, unit: 64KiB }';

  test('credentials that the store does not know', async ({ sandbox, skip }) => {
    const store = theStore(skip);
    const plan = planFor(sandbox, store, small, 'objects: { count: 4 }');
    const other = { ...credentials, AWS_SECRET_ACCESS_KEY: 'another-secret-that-nobody-may-see' };
    const ended = await sandbox.startWith(other, 'run', plan).ended;
    expectError(ended, 1, 'SEEDSTORM_E_ACCESS_DENIED', /answered 403/u);
    expect(ended.stdout + ended.stderr).not.toContain('another-secret');
    await expectEmpty(store);
  });

  test('a bucket that is not there', async ({ sandbox, skip }) => {
    const store = theStore(skip);
    const plan = sandbox.plan(`
data: ${small}
target: { kind: s3, endpoint: ${store.endpoint}, bucket: no-such-bucket }
stages: [{ write: {} }]
`);
    const ended = await sandbox.startWith(credentials, 'run', plan).ended;
    expectError(ended, 1, 'SEEDSTORM_E_TARGET_MISSING', /no-such-bucket/u);
  });

  test('a prefix that makes keys too long', async ({ sandbox, skip }) => {
    const store = theStore(skip);
    const plan = sandbox.plan(`
data: ${small}
target: { kind: s3, endpoint: ${store.endpoint}, bucket: ${bucket}, prefix: ${'p'.repeat(901)} }
stages: [{ write: {} }]
`);
    const ended = await sandbox.startWith(credentials, 'run', plan).ended;
    expect(ended.code).toBe(2);
    expect(ended.stderr).toMatch(/longer than 900 bytes/u);
    await expectEmpty(store);
  });
});
