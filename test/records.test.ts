/** What is known of a run's data later, by its record alone: after an upgrade, a power cut, the death of its coordinator. */
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { Cluster } from './support/cluster.js';
import type { Ended } from './support/command.js';
import { expectError } from './support/errors.js';
import { LoopDevice, missingForDevices } from './support/loop-device.js';
import { eventsOf, fraction, stageOf } from './support/messages.js';
import { needs } from './support/needs.js';
import { signal } from './support/processes.js';
import type { Sandbox } from './support/sandbox.js';
import { bucket, credentials, Store, secret } from './support/store.js';
import { test } from './support/test.js';

const MiB = 1024 ** 2;
const missing = await missingForDevices();

/** Writes 32 MiB in 16 files and leaves them there. */
function writing(target: string, { stages = '{ write: {} }', more = '', top = '' } = {}): string {
  return `
name: kept
data: { size: 32MiB, unit: 256KiB, dedup: { ratio: 1.5, window: 8 } }
target: { kind: file, path: ${target}, files: { size: 2MiB }${more} }
stages: [${stages}]
${top}
`;
}

/** Runs such a plan, and gives its run id. */
async function write(sandbox: Sandbox, plan = writing(sandbox.target), agents = '2'): Promise<string> {
  const { code, stderr, result } = await sandbox.run('run', sandbox.plan(plan), '--agents', agents, '--json');
  expect(code, stderr).toBe(0);
  return result.runId;
}

/** Runs a plan that has only stages about an earlier run. */
function later(sandbox: Sandbox, stages: string, agents = '3'): Promise<Ended> {
  return sandbox.run('run', sandbox.plan(`stages: [${stages}]`), '--agents', agents, '--json');
}

function recordOf(sandbox: Sandbox, runId: string): string {
  return join(sandbox.home, '.seedstorm', 'runs', runId, 'run.jsonl');
}

function head(sandbox: Sandbox, runId: string) {
  return JSON.parse(readFileSync(recordOf(sandbox, runId), 'utf8').split('\n')[0] ?? '');
}

function flip(file: string, at: number): void {
  const descriptor = openSync(file, 'r+');
  const byte = Buffer.alloc(1);
  readSync(descriptor, byte, 0, 1, at);
  writeSync(descriptor, Buffer.from([(byte[0] ?? 0) ^ 0xff]), 0, 1, at);
  closeSync(descriptor);
}

describe('data of an earlier run', () => {
  test('is verified by other agents, from the record alone, and stays where it is', async ({ sandbox }) => {
    const runId = await write(sandbox);
    const files = sandbox.files();
    const ended = await later(sandbox, `{ verify: { run: ${runId} } }, { read: { run: ${runId} } }`);
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.result).toMatchObject({ outcome: 'passed', dataRunId: runId, leftBehind: [] });
    expect(ended.result.runId).not.toBe(runId);
    expect(stageOf(ended.result, 'verify')).toMatchObject({ complete: true, unitsDone: 128, corruptBlocks: 0 });
    expect(stageOf(ended.result, 'read')).toMatchObject({ complete: true, unitsDone: 128 });
    expect(ended.result.notes.join()).toContain(`the data is that of run ${runId}`);
    expect(sandbox.files()).toEqual(files);
    expect(existsSync(recordOf(sandbox, ended.result.runId))).toBe(false);
  });

  test('is verified in the generation of its last write', async ({ sandbox }) => {
    const stages = '{ write: {} }, { write: {} }, { verify: {} }';
    const runId = await write(sandbox, writing(sandbox.target, { stages }));
    const ended = await later(sandbox, `{ verify: { run: ${runId} } }`, '1');
    expect(ended.code, ended.stderr).toBe(0);
    expect(head(sandbox, runId)).toMatchObject({ state: 'kept', generation: 1, unitsWritten: 128 });
  });

  test('that has changed since is named with file, offset and unit, who wrote it and when', async ({ sandbox }) => {
    const before = Date.now();
    const runId = await write(sandbox);
    const after = Date.now();
    const at = 700_000;
    const faulty = join(sandbox.target, runId, 'f00000003');
    const gone = join(sandbox.target, runId, 'f00000009');
    flip(faulty, at);
    rmSync(gone);
    const ended = await later(sandbox, `{ verify: { run: ${runId} } }`);
    expect(ended.code, ended.stderr).toBe(3);
    expect(ended.result.outcome).toBe('corrupt');
    const found = ended.result.findings.find(({ kind }) => kind === 'bit flip');
    expect(found).toMatchObject({
      path: faulty,
      offset: Math.floor(at / 512) * 512,
      unit: 3 * 8 + Math.floor(at / (256 * 1024)),
      generation: 0,
      verdict: 'persistent',
    });
    expect(found?.writer).toMatch(/^agent-[12]$/u);
    expect(found?.writtenAfterUnixMs).toBeGreaterThanOrEqual(before - 50);
    expect(found?.writtenBeforeUnixMs).toBeLessThanOrEqual(after + 50);
    const lost = ended.result.findings.filter(({ kind }) => kind === 'missing');
    expect(lost.length).toBeGreaterThan(0);
    for (const { path } of lost) expect(path).toBe(gone);
    expect(
      stageOf(ended.result, 'verify')
        .findingCounts.map(({ kind }) => kind)
        .sort(),
    ).toEqual(['bit flip', 'missing']);
    // Nobody asked for anything to be removed.
    expect(existsSync(faulty)).toBe(true);
  });

  test('is removed by a stage that names it, and known to be gone', async ({ sandbox }) => {
    const runId = await write(sandbox);
    const ended = await later(sandbox, `{ verify: { run: ${runId} } }, { delete: { run: ${runId} } }`);
    expect(ended.code, ended.stderr).toBe(0);
    sandbox.expectNothingLeft();
    expect(head(sandbox, runId).state).toBe('deleted');
    const again = await later(sandbox, `{ verify: { run: ${runId} } }`);
    expectError(again, 2, 'SEEDSTORM_E_RUN_DATA_DELETED', new RegExp(`run ${runId} was deleted`, 'u'));
  });

  test('of small files is found under the names that they had in the end', async ({ sandbox }) => {
    const plan = `
target: { kind: file, path: ${sandbox.target}, tree: { directories: 4, filesPerDirectory: 8, fileSize: 5000 } }
data: {}
stages: [{ mkdir: {} }, { create: {} }, { rename: { into: next } }]
`;
    const runId = await write(sandbox, plan);
    const ended = await later(sandbox, `{ verify: { run: ${runId} } }, { delete: { run: ${runId} } }`);
    expect(ended.code, ended.stderr).toBe(0);
    expect(stageOf(ended.result, 'verify')).toMatchObject({ complete: true, corruptBlocks: 0 });
    sandbox.expectNothingLeft();
  });

  test('whose single blocks were overwritten is refused, since the record does not say what they hold', async ({
    sandbox,
  }) => {
    const stages = '{ write: {} }, { mixed: { read: 0, write: 100, block: 4KiB, amount: 1MiB } }';
    const runId = await write(sandbox, writing(sandbox.target, { stages }));
    const ended = await later(sandbox, `{ verify: { run: ${runId} } }`);
    expectError(ended, 1, 'SEEDSTORM_E_RUN_DATA_UNKNOWN', /single blocks of the data were overwritten/u);
  });

  test('on a block device is verified, and that of another device is not looked for', async ({ sandbox, skip }) => {
    skip(missing !== undefined, `skipped: needs ${missing}`);
    using device = LoopDevice.create(sandbox, 'device', 32 * MiB);
    const plan = `
data: { size: 16MiB, unit: 64KiB }
target: { kind: block, device: ${device.path} }
stages: [{ write: {} }, { delete: {} }]
`;
    const runId = await write(sandbox, plan);
    const verified = await later(sandbox, `{ verify: { run: ${runId} } }`);
    expect(verified.code, verified.stderr).toBe(0);
    expect(stageOf(verified.result, 'verify')).toMatchObject({ unitsDone: 256, corruptBlocks: 0 });
    device.write(5 * MiB, Buffer.alloc(512, 7));
    const corrupt = await later(sandbox, `{ verify: { run: ${runId} } }`, '1');
    expect(corrupt.code, corrupt.stderr).toBe(3);
    expect(corrupt.result.findings[0]).toMatchObject({ path: device.path, offset: 5 * MiB, unit: 80 });
    const file = recordOf(sandbox, runId);
    writeFileSync(file, readFileSync(file, 'utf8').replace(/"deviceIdentity":"[^"]*"/u, '"deviceIdentity":"naa.5000"'));
    const plain = sandbox.plan(`stages: [{ verify: { run: ${runId} } }]`);
    expectError(await sandbox.run('run', plain), 1, 'SEEDSTORM_E_DEVICE_IDENTITY', /wrote to naa\.5000/u);
    const checked = await sandbox.run('check', plain);
    expect(checked.code, checked.stderr).toBe(1);
    expect(checked.stdout).toMatch(/^error SEEDSTORM_E_DEVICE_IDENTITY: .*wrote to naa\.5000/mu);
  });
});

test('objects of an earlier run are verified and removed without its credentials on record', async ({
  sandbox,
  skip,
}) => {
  const store = await Store.start();
  needs(skip, typeof store !== 'string', `SeaweedFS (${store})`);
  if (typeof store === 'string') return;
  await using _ = store;
  const start = (text: string): Promise<Ended> =>
    sandbox.startWith(credentials, 'run', sandbox.plan(text), '--agents', '2', '--json').ended;
  const wrote = await start(`
data: { size: 8MiB, unit: 64KiB }
target: { kind: s3, endpoint: ${store.endpoint}, bucket: ${bucket}, objects: { size: 1MiB } }
stages: [{ write: {} }]
`);
  expect(wrote.code, wrote.stderr).toBe(0);
  const { runId } = wrote.result;
  expect(readFileSync(recordOf(sandbox, runId), 'utf8')).not.toMatch(new RegExp(`${secret}|TESTKEYID`, 'u'));
  const ended = await start(`stages: [{ verify: { run: ${runId} } }, { delete: { run: ${runId} } }]`);
  expect(ended.code, ended.stderr).toBe(0);
  expect(stageOf(ended.result, 'verify')).toMatchObject({ unitsDone: 128, corruptBlocks: 0 });
  expect(await store.keys()).toEqual([]);
}, 300_000);

describe('node-local data of an earlier run', () => {
  test('goes to agents on the hosts that wrote it, and a host without an agent is named', async ({ sandbox, skip }) => {
    skip(process.getuid?.() !== 0, 'skipped: needs root');
    const plan = sandbox.plan(writing(sandbox.target, { more: ', scope: local', top: 'agents: { minimum: 2 }' }));
    const cluster = await Cluster.start(sandbox, 0);
    for (const host of ['host-a', 'host-b']) {
      await cluster.startAgentOnHost(host, `writer-${host}`).said(/joined the coordinator/u);
    }
    const wrote = await cluster.run(plan, '--json');
    expect(wrote.code, wrote.stderr).toBe(0);
    const { runId } = wrote.result;
    cluster.agent('writer-host-b').signal('SIGTERM');
    await cluster.agent('writer-host-b').ended;
    const verify = sandbox.plan(`stages: [{ verify: { run: ${runId} } }]`);
    const partly = await cluster.run(verify, '--json');
    expect(partly.code, partly.stderr).toBe(1);
    expect(partly.result.error).toMatchObject({ code: 'SEEDSTORM_E_UNITS_LOST' });
    expect(partly.result.error?.what).toMatch(/no agent is on host-b/u);
    expect(partly.result.findings).toEqual([]);
    // Another agent on that host, of another name.
    await cluster.startAgentOnHost('host-b', 'reader').said(/joined the coordinator/u);
    const whole = await cluster.run(verify, '--json');
    expect(whole.code, whole.stderr).toBe(0);
    const verified = stageOf(whole.result, 'verify');
    expect(verified).toMatchObject({ complete: true, unitsDone: 128 });
    const byAgent = (stage: typeof verified, name: string) =>
      stage.agents.find((each) => each.name === name)?.unitsDone;
    expect(byAgent(verified, 'reader')).toBe(byAgent(stageOf(wrote.result, 'write'), 'writer-host-b'));
    await cluster.stop();
  });
});

describe('a run whose coordinator was killed in mid-write', () => {
  test('is verified as far as it was known to be written, and the rest is said to be left out', async ({ sandbox }) => {
    const slow = writing(sandbox.target, { stages: '{ write: { rate: 5MiB/s } }' });
    const run = sandbox.start('run', sandbox.plan(slow), '--agents', '2', '--json');
    const far = await run.progress('write', (each) => fraction(each) >= 0.6, 'more than half done');
    const [coordinator] = sandbox.processes().filter(({ args }) => args.includes('coordinator'));
    signal(coordinator?.pid ?? 0, 'SIGKILL');
    expect((await run.ended).code).toBe(1);
    await sandbox.gone(30_000);
    const { state, unitsWritten } = head(sandbox, far.runId);
    expect(state).toBe('writing');
    expect(unitsWritten).toBeGreaterThan(0);
    expect(unitsWritten).toBeLessThan(128);
    const leftOut = `${128 - unitsWritten} of 128 units are left out, since nobody knows what they hold`;
    const checked = await sandbox.run('check', sandbox.plan(`stages: [{ verify: { run: ${far.runId} } }]`));
    expect(checked.code, checked.stderr).toBe(0);
    expect(checked.stdout).toContain(`warning: ${leftOut}`);
    const ended = await later(sandbox, `{ verify: { run: ${far.runId} } }`);
    expect(ended.code, ended.stderr).toBe(0);
    expect(stageOf(ended.result, 'verify')).toMatchObject({ unitsDone: unitsWritten, corruptBlocks: 0 });
    expect(ended.result.notes.join('\n')).toContain(
      `${leftOut}: ${128 - unitsWritten} were not known to be written when its coordinator ended in the middle of the write`,
    );
    expect(eventsOf(ended.lines, 'finding')).toEqual([]);
  });

  test('before anything was known to be written is refused, instead of passing with nothing verified', async ({
    sandbox,
  }) => {
    const slow = writing(sandbox.target, { stages: '{ write: { rate: 64KiB/s } }' });
    const run = sandbox.start('run', sandbox.plan(slow), '--agents', '1', '--json');
    const { runId } = await run.progress('write', () => true, 'anything');
    const [coordinator] = sandbox.processes().filter(({ args }) => args.includes('coordinator'));
    signal(coordinator?.pid ?? 0, 'SIGKILL');
    await run.ended;
    await sandbox.gone(30_000);
    const ended = await later(sandbox, `{ verify: { run: ${runId} } }`);
    expectError(ended, 1, 'SEEDSTORM_E_RUN_DATA_UNKNOWN', /nothing is known of what run \S+ wrote/u);
  });
});

describe('a record', () => {
  test('that there is not is told with the newest that there are', async ({ sandbox }) => {
    const runId = await write(sandbox);
    const ended = await later(sandbox, '{ verify: { run: 20200101-000000-00000000 } }', '1');
    const what = new RegExp(`no record of run 20200101-000000-00000000 .*the newest: ${runId} \\(kept, kept\\)`, 'u');
    expectError(ended, 2, 'SEEDSTORM_E_RUN_RECORD_MISSING', what);
  });

  test('is readable by its owner alone; one that is damaged is refused and left as it is', async ({ sandbox }) => {
    const runId = await write(sandbox);
    const file = recordOf(sandbox, runId);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(join(file, '..')).mode & 0o777).toBe(0o700);
    expect(readdirSync(join(file, '..'))).toEqual(['run.jsonl']);
    const damaged = readFileSync(file, 'utf8').slice(0, -40);
    writeFileSync(file, damaged);
    const ended = await later(sandbox, `{ verify: { run: ${runId} } }`, '1');
    expectError(ended, 1, 'SEEDSTORM_E_RUN_RECORD_UNREADABLE', new RegExp(`${runId}/run.jsonl cannot be read: `, 'u'));
    const listed = await sandbox.run('runs');
    expect(listed.code).toBe(0);
    expect(readFileSync(file, 'utf8')).toBe(damaged);
    expect(sandbox.files().length).toBe(16);
  });

  test('that cannot be written is warned of, and the run goes on', async ({ sandbox }) => {
    const file = join(sandbox.folder, 'file');
    writeFileSync(file, '');
    const plan = sandbox.plan(writing(sandbox.target));
    const ended = await sandbox.run('run', plan, '--data', file, '--json');
    expect(ended.code, ended.stderr).toBe(0);
    expect(eventsOf(ended.lines, 'not-recorded')).toHaveLength(1);
    expect(ended.result.notes.join()).toMatch(/cannot be verified by the run's id later/u);
  });

  test('is kept where --data or SEEDSTORM_DATA says, and listed by runs', async ({ sandbox }) => {
    const data = join(sandbox.folder, 'data');
    const plan = sandbox.plan(writing(sandbox.target));
    const first = (await sandbox.run('run', plan, '--data', data, '--json')).result.runId;
    const second = (await sandbox.startWith({ SEEDSTORM_DATA: data }, 'run', plan, '--json').ended).result.runId;
    expect(existsSync(join(sandbox.home, '.seedstorm', 'runs'))).toBe(false);
    const listed = await sandbox.run('runs', '--data', data, '--json');
    const { runs }: { runs: { runId: string; state: string }[] } = JSON.parse(listed.stdout);
    expect(runs.map(({ runId, state }) => `${runId} ${state}`)).toEqual([`${second} kept`, `${first} kept`]);
    const shown = await sandbox.run('runs', '--data', data);
    expect(shown.stdout).toMatch(
      new RegExp(`│ ${first} │ kept +│ kept │.*│ 128 of 128 │ ${sandbox.target}/${first} │`, 'u'),
    );
    const none = await sandbox.run('runs');
    expect(none).toMatchObject({ code: 0, stderr: '' });
    expect(none.stdout).toMatch(/^no run is on record in /u);
  });
});

describe('a plan', () => {
  test('about an earlier run that says what its record says is refused before anything starts', async ({ sandbox }) => {
    const plan = 'seed: 7\nstages: [{ verify: { run: 20200101-000000-00000000 } }]';
    const ended = await sandbox.run('run', sandbox.plan(plan));
    expectError(ended, 2, 'SEEDSTORM_E_PLAN_INVALID', /1:1: seed: the earlier run's record says it/u);
  });

  test('that repeats seed and namespace of a run on record is warned of by check', async ({ sandbox }) => {
    const plan = (top: string): string => sandbox.plan(writing(sandbox.target, { top }));
    const fixed = plan('seed: 11\nnamespace: mine');
    const before = await sandbox.run('check', fixed);
    expect(before.stdout).not.toContain('RUN_DATA_REPEATED');
    const { runId } = (await sandbox.run('run', fixed, '--json')).result;
    const after = await sandbox.run('check', fixed);
    expect(after.code, after.stderr).toBe(0);
    expect(after.stdout).toMatch(
      new RegExp(
        `^warning SEEDSTORM_E_RUN_DATA_REPEATED: seed 11 and namespace "mine" are those of run ${runId}`,
        'mu',
      ),
    );
    expect(after.stdout).toMatch(/^ {2}mend: leave out seed or namespace/mu);
    const other = await sandbox.run('check', plan('seed: 11\nnamespace: other'));
    expect(other.stdout).not.toContain('RUN_DATA_REPEATED');
  });
});
