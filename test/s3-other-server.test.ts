/** A store of another make: rclone's server, which has neither versions nor lists of them, and keeps each object as a file. */
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, type TestContext } from 'vitest';
import { rclone, startRclone } from '../tools/rclone.mjs';
import { stageOf } from './support/messages.js';
import { needs } from './support/needs.js';
import type { Sandbox } from './support/sandbox.js';
import { bucket, credentials } from './support/store.js';
import { test } from './support/test.js';

let folder: string;
let started: { readonly child: ChildProcess; readonly endpoint: string } | string;
beforeAll(async () => {
  folder = mkdtempSync('/var/tmp/seedstorm-store-');
  try {
    started = await startRclone(rclone(), folder, bucket, credentials);
  } catch (error) {
    started = String(error);
  }
}, 300_000);
afterAll(async () => {
  if (typeof started !== 'string') {
    const { child } = started;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }
  rmSync(folder, { recursive: true, force: true });
});

function planFor(sandbox: Sandbox, skip: TestContext['skip'], data: string, more: string, stages: string): string {
  needs(skip, typeof started !== 'string', `rclone (${String(started)})`);
  if (typeof started === 'string') throw new Error(started);
  const target = `kind: s3, endpoint: ${started.endpoint}, bucket: ${bucket}, prefix: teams/storage, ${more}`;
  return sandbox.plan(`data: ${data}\ntarget: { ${target} }\nstages: [${stages}]\n`);
}

function files(): string[] {
  return readdirSync(join(folder, bucket), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

test.for(['signed', 'unsigned'])(
  'objects live their whole life in it, payloads %s',
  async (signing, { sandbox, skip }) => {
    const stages = '{ write: {} }, { read: {} }, { stat: {} }, { list: {} }, { verify: {} }, { delete: {} }';
    const more = `objects: { size: 64KiB }, signing: ${signing}`;
    const plan = planFor(sandbox, skip, '{ size: 8MiB, unit: 64KiB }', more, stages);
    const ended = await sandbox.startWith(credentials, 'run', plan, '--json', '--agents', '2').ended;
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.result).toMatchObject({ outcome: 'passed', leftBehind: [] });
    for (const stage of ['write', 'read', 'stat', 'verify', 'delete']) {
      expect(stageOf(ended.result, stage), stage).toMatchObject({ unitsDone: 128 });
    }
    expect(files()).toEqual([]);
  },
);

test('a flipped bit in one of its files is found at its place', async ({ sandbox, skip }) => {
  const stages = '{ write: {} }, { verify: { delay: 3s } }, { delete: {} }';
  const plan = planFor(sandbox, skip, '{ size: 4MiB, unit: 64KiB }', 'objects: { size: 64KiB }', stages);
  const run = sandbox.startWith(credentials, 'run', plan, '--json', '--agents', '2');
  await run.event('stage-ended', 'write');
  const spoiled = files().find((path) => path.endsWith('f00000007'));
  expect(spoiled).toBeDefined();
  const bytes = readFileSync(spoiled ?? '');
  bytes[5000] = (bytes[5000] ?? 0) ^ 1;
  writeFileSync(spoiled ?? '', bytes);
  const ended = await run.ended;
  expect(ended.code, ended.stderr).toBe(3);
  expect(ended.result.findings).toHaveLength(1);
  // A second look asks for a range, which this server does not answer as it should.
  expect(ended.result.findings[0]).toMatchObject({ kind: 'bit flip', unit: 7, verdict: 'undecided' });
  // The faulty object is left as evidence, and nothing else is.
  expect(files()).toEqual([spoiled]);
  rmSync(spoiled ?? '');
});

test('large objects are put together of parts', async ({ sandbox, skip }) => {
  const stages = '{ write: {} }, { stat: {} }, { delete: {} }';
  const plan = planFor(sandbox, skip, '{ size: 40MiB, unit: 1MiB }', 'objects: { size: 20MiB }, part: 5MiB', stages);
  const ended = await sandbox.startWith(credentials, 'run', plan, '--json', '--agents', '2').ended;
  expect(ended.code, ended.stderr).toBe(0);
  const { store } = stageOf(ended.result, 'write');
  expect(store?.requests.find(({ kind }) => kind === 'PUT part')?.requests).toBe(8);
  expect(files()).toEqual([]);
});
