/** What a plan can ask of files beyond their bytes, each with a real file system: paths, scope, room, caches, others. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { Cluster } from './support/cluster.js';
import { expectError } from './support/errors.js';
import { eventsOf, type StageLine, stageOf } from './support/messages.js';
import { needsRoot } from './support/needs.js';
import { planTo } from './support/plans.js';
import { signal } from './support/processes.js';
import type { Sandbox } from './support/sandbox.js';
import { test } from './support/test.js';

const MiB = 1024 ** 2;

/** A plan of 32 MiB on 32 files; `target` is what stands in it behind its kind. */
function plan(target: string, stages = '[{ write: {} }, { verify: {} }, { delete: {} }]'): string {
  return `
data: { size: 32MiB, unit: 256KiB }
target: { kind: file, ${target}, files: { count: 32 } }
stages: ${stages}
`;
}

function expectEmpty(...folders: string[]): void {
  for (const folder of folders) expect(readdirSync(folder), `what is left in ${folder}`).toEqual([]);
}

describe('several paths', () => {
  test('hold the files in turn, whole, and a delete leaves nothing in any of them', async ({ sandbox }) => {
    const paths = ['a', 'b', 'c'].map((name) => sandbox.makeFolder(name));
    const stages = '[{ write: {} }, { verify: {} }]';
    const kept = await sandbox.run('run', sandbox.plan(plan(`paths: [${paths}]`, stages)), '--agents', '2', '--json');
    expect(kept.code, kept.stderr).toBe(0);
    const { runId, leftBehind } = kept.result;
    expect(leftBehind).toEqual(paths.map((path) => join(path, runId)));
    for (const [index, path] of paths.entries()) {
      const numbers = Array.from({ length: 32 }, (_, i) => i).filter((i) => i % 3 === index);
      const names = numbers.map((i) => `f${String(i).padStart(8, '0')}`);
      expect(sandbox.files(path)).toEqual(names.map((name) => join(runId, name)));
      for (const name of names) expect(statSync(join(path, runId, name)).size).toBe(MiB);
      execFileSync('rm', ['-r', join(path, runId)]);
    }
    const whole = await sandbox.run('run', sandbox.plan(plan(`paths: [${paths}]`)), '--agents', '2', '--json');
    expect(whole.result).toMatchObject({ outcome: 'passed', leftBehind: [] });
    expectEmpty(...paths);
  });

  test('are all cleared when the run is stopped in mid-write', async ({ sandbox }) => {
    const paths = ['a', 'b'].map((name) => sandbox.makeFolder(name));
    const slow = `
data: { size: 384MiB, unit: 256KiB }
target: { kind: file, paths: [${paths}], files: { count: 192 }, io: { block: 16KiB } }
load: { lanesPerAgent: 1, queueDepth: 1 }
stages: [{ write: {} }]
`;
    const run = sandbox.start('run', sandbox.plan(slow), '--json');
    await run.midStage('write');
    run.signal('SIGINT');
    expect((await run.ended).code).toBe(130);
    expectEmpty(...paths);
  });

  test('that are one folder, or one inside another, by a symbolic link are refused', async ({ sandbox }) => {
    const real = sandbox.makeFolder('real');
    mkdirSync(join(real, 'inner'));
    const link = join(sandbox.folder, 'link');
    for (const [to, how] of [
      [real, /is the same folder as/u],
      [join(real, 'inner'), /lies inside/u],
    ] as const) {
      symlinkSync(to, link);
      const ended = await sandbox.run('run', sandbox.plan(plan(`paths: [${real}, ${link}]`)));
      expectError(ended, 1, 'SEEDSTORM_E_TARGET_OUTSIDE', how);
      execFileSync('rm', [link]);
      expect(readdirSync(real)).toEqual(['inner']);
    }
  });

  test('of which one is missing are refused, and nothing is made in the others', async ({ sandbox }) => {
    const ended = await sandbox.run(
      'run',
      sandbox.plan(plan(`paths: [${sandbox.target}, ${sandbox.folder}/none]`)),
      '--agents',
      '2',
    );
    expectError(ended, 1, 'SEEDSTORM_E_TARGET_MISSING', /none does not exist/u);
    sandbox.expectNothingLeft();
  });

  test('must have room for their share, and those on one file system together', async ({ sandbox, skip }) => {
    needsRoot(skip, 'to mount a file system');
    const small = ['small-a', 'small-b'].map((name) => sandbox.mountMemory(name, 24 * MiB));
    const fits = await sandbox.run('run', sandbox.plan(plan(`paths: [${small}]`)), '--json');
    expect(fits.code, fits.stderr).toBe(0);
    const [first = ''] = small;
    const folders = ['x', 'y'].map((name) => join(first, name));
    for (const folder of folders) mkdirSync(folder);
    const refused = await sandbox.run('run', sandbox.plan(plan(`paths: [${folders}]`)), '--json');
    expectError(
      refused,
      1,
      'SEEDSTORM_E_SPACE',
      /small-a\/x and .*small-a\/y together have 24 MiB free; the plan writes 32/u,
    );
    expect(refused.result).toMatchObject({ outcome: 'failed', stages: [], error: { code: 'SEEDSTORM_E_SPACE' } });
    expectEmpty(...folders);
  });
});

describe('node-local storage', () => {
  const local = (target: string): string => `
data: { size: 64MiB, unit: 256KiB }
target: { kind: file, path: ${target}, scope: local, files: { count: 64 }, io: { direct: false } }
control: { settleTimeout: 0s }
stages: [{ write: {} }, { verify: { delay: 2s } }, { delete: {} }]
`;

  test('is read back by who wrote it, and not out of the page cache', async ({ sandbox }) => {
    const ended = await sandbox.run('run', sandbox.plan(local(sandbox.target)), '--agents', '2', '--json');
    expect(ended.code, ended.stderr).toBe(0);
    const verify = stageOf(ended.result, 'verify');
    expect(verify).toMatchObject({ complete: true, unitsByTheirWriter: 256, unitsLost: 0 });
    expect(verify.cache).toMatchObject({ reads: 'uncached', before: { objects: 64, pages: 64 * 256 } });
    const shares = (stage: StageLine): unknown => stage.agents.map(({ name, unitsDone }) => ({ name, unitsDone }));
    expect(shares(verify)).toEqual(shares(stageOf(ended.result, 'write')));
    sandbox.expectNothingLeft();
  });

  test('is lost with its agent: the run covers the rest, says what it covers, and has not passed', async ({
    sandbox,
  }) => {
    const run = sandbox.start('run', sandbox.plan(local(sandbox.target)), '--agents', '2', '--json');
    await run.event('stage-waiting', 'verify');
    signal(sandbox.agent('agent-1').pid, 'SIGKILL');
    const ended = await run.ended;
    expect(ended.code, ended.stderr).toBe(1);
    const { result } = ended;
    expect(result).toMatchObject({ outcome: 'failed', error: { code: 'SEEDSTORM_E_UNITS_LOST' }, agentsLost: 1 });
    expect(result.stages.map(({ name }) => name)).toEqual(['write', 'verify', 'delete']);
    const written = stageOf(result, 'write').agents.find(({ name }) => name === 'agent-1')?.unitsDone ?? 0;
    expect(written).toBeGreaterThan(0);
    for (const name of ['verify', 'delete']) {
      const stage = stageOf(result, name);
      expect(stage).toMatchObject({ complete: false, unitsLost: written, unitsDone: 256 - written });
    }
    expect(eventsOf(ended.lines, 'units-lost').map(({ stageName }) => stageName)).toEqual(['verify', 'delete']);
    expect(result.leftBehind).toEqual([join(sandbox.target, result.runId)]);
    expect(sandbox.files()).toHaveLength(written / 4);
  });

  test('of an agent that went silent is given up when its lease is over', async ({ sandbox }) => {
    const cluster = await Cluster.start(sandbox, 2);
    const text = local(sandbox.target).replace('settleTimeout: 0s', 'lease: 2s, settleTimeout: 0s');
    const run = cluster.start(sandbox.plan(text.replace('delay: 2s', 'delay: 1s')), '--agents', '2', '--json');
    await run.event('stage-waiting', 'verify');
    cluster.agent('agent-1').signal('SIGKILL');
    const { result } = await run.ended;
    expect(result).toMatchObject({ outcome: 'failed', error: { code: 'SEEDSTORM_E_UNITS_LOST' } });
    const verify = stageOf(result, 'verify');
    expect(verify.unitsLost).toBeGreaterThan(0);
    expect(verify.unitsDone + verify.unitsLost).toBe(256);
    expect(verify.corruptBlocks).toBe(0);
  });
});

describe('one file that agents share', () => {
  test('is leased on the stripe, and so are several', async ({ sandbox }) => {
    for (const count of [1, 3]) {
      const text = `
data: { size: 96MiB, unit: 1MiB }
target: { kind: file, path: ${sandbox.target}, files: { count: ${count} }, align: 4MiB }
stages: [{ write: {} }, { verify: {} }, { delete: {} }]
`;
      const ended = await sandbox.run('run', sandbox.plan(text), '--agents', '3', '--json');
      expect(ended.code, ended.stderr).toBe(0);
      for (const agent of stageOf(ended.result, 'write').agents) {
        expect(agent.unitsDone, `${agent.name} of ${count} files`).toBeGreaterThan(0);
        expect(agent.unitsDone % 4).toBe(0);
      }
      sandbox.expectNothingLeft();
    }
  });
});

describe('preallocation', () => {
  test('gives each file its room before its first byte, counted apart', async ({ sandbox, skip }) => {
    needsRoot(skip, 'to mount a file system');
    const disk = sandbox.mountDisk('disk', 128 * MiB);
    const ended = await sandbox.run('run', sandbox.plan(plan(`path: ${disk}, io: { preallocate: true }`)), '--json');
    expect(ended.code, ended.stderr).toBe(0);
    const write = stageOf(ended.result, 'write');
    expect(write.preallocated).toBe(32);
    expect(write.preallocateNs).toBeGreaterThan(0);
    expectEmpty(disk);
  });

  test('finds a full disk before any byte of the file is written', async ({ sandbox, skip }) => {
    needsRoot(skip, 'to mount a file system');
    const disk = sandbox.mountDisk('disk', 128 * MiB);
    const one = `
data: { size: 64MiB, unit: 256KiB }
target: { kind: file, path: ${disk}, files: { count: 1 }, io: { preallocate: true } }
stages: [{ write: { delay: 1s } }]
`;
    const run = sandbox.start('run', sandbox.plan(one), '--json');
    await run.event('stage-waiting');
    execFileSync('fallocate', ['-l', `${70 * MiB}`, join(disk, 'of-others')]);
    const ended = await run.ended;
    expectError(ended, 1, 'SEEDSTORM_E_DISK_FULL', /could not preallocate 67108864 bytes for /u);
    expect(stageOf(ended.result, 'write').latency?.count ?? 0).toBe(0);
    expect(readdirSync(disk)).toEqual(['of-others']);
  });

  test('is never emulated: a file system that cannot do it fails the run, or is noted', async ({ sandbox, skip }) => {
    needsRoot(skip, 'to mount a file system');
    const folder = sandbox.mount('ramfs', 'ramfs');
    const insists = await sandbox.run('run', sandbox.plan(plan(`path: ${folder}, io: { preallocate: true }`)));
    expectError(insists, 1, 'SEEDSTORM_E_PREALLOCATE_REFUSED', /cannot preallocate/u);
    const tries = await sandbox.run('run', sandbox.plan(plan(`path: ${folder}, io: { preallocate: auto }`)), '--json');
    expect(tries.code, tries.stderr).toBe(0);
    expect(tries.result.notes).toContainEqual(expect.stringContaining('files grow as they are written'));
    expectEmpty(folder);
  });
});

describe('the alignment that O_DIRECT wants', () => {
  const small = (folder: string): string => `
data: { size: 4MiB, unit: 64KiB }
target: { kind: file, path: ${folder}, io: { block: 512, direct: true } }
stages: [{ write: {} }, { verify: {} }, { delete: {} }]
`;

  test('is found for each disk, shown, and a block that does not suit is refused before it is written', async ({
    sandbox,
    skip,
  }) => {
    needsRoot(skip, 'to make a disk');
    const large = sandbox.mountDisk('large-sectors', 64 * MiB, 4096);
    const refused = await sandbox.run('run', sandbox.plan(small(large)));
    expectError(
      refused,
      1,
      'SEEDSTORM_E_UNALIGNED',
      /block of 512 bytes is no multiple of the 4096 bytes that O_DIRECT/u,
    );
    expect(refused.stderr).toMatch(/mend: set target\.io\.block to a multiple of 4096/u);
    expectEmpty(large);
    const checked = await sandbox.run('check', sandbox.plan(small(large)));
    expect(checked.stdout).toMatch(/large-sectors: .* free; .* to be written; O_DIRECT wants multiples of 4096 bytes/u);

    const usual = sandbox.mountDisk('usual-sectors', 64 * MiB, 512);
    const ended = await sandbox.run('run', sandbox.plan(small(usual)), '--json');
    expect(ended.code, ended.stderr).toBe(0);
    expect(stageOf(ended.result, 'write').latency?.count).toBe(8192);
  });
});

describe('a target that is said to be shared', () => {
  /** Two agents of which the second sees another folder under the target's name. */
  async function apart(sandbox: Sandbox): Promise<{ cluster: Cluster; hidden: string }> {
    const hidden = sandbox.makeFolder('hidden');
    const cluster = await Cluster.start(sandbox, 1);
    await cluster.startAgentSeeing(hidden, sandbox.target, 'agent-2').said(/joined the coordinator/u);
    return { cluster, hidden };
  }

  test('and is another one on some node is refused, with who does not see whom', async ({ sandbox, skip }) => {
    needsRoot(skip, 'to make a mount namespace');
    const { cluster, hidden } = await apart(sandbox);
    const file = sandbox.plan(planTo(sandbox.target));
    const refused = await cluster.run(file, '--agents', '2');
    const what = /agent-[12] on \S+ does not see in \S+\/target what agent-[12] wrote there/u;
    expectError(refused, 1, 'SEEDSTORM_E_TARGET_NOT_SHARED', what);
    expectEmpty(sandbox.target, hidden);

    const checked = await sandbox.run('check', file, ...cluster.flags, '--agents', '2');
    expect(checked.code).toBe(1);
    for (const [blind, other] of [
      ['agent-1', 'agent-2'],
      ['agent-2', 'agent-1'],
    ]) {
      expect(checked.stdout).toMatch(
        new RegExp(`${blind} on \\S+ does not see in \\S+ what ${other} wrote there`, 'u'),
      );
    }
    expectEmpty(sandbox.target, hidden);
    await cluster.stop();
  });

  test('is not written to by an agent that comes in mid-run and sees another one', async ({ sandbox, skip }) => {
    needsRoot(skip, 'to make a mount namespace');
    const hidden = sandbox.makeFolder('hidden');
    const cluster = await Cluster.start(sandbox, 1);
    const stages = '[{ write: {} }, { write: { delay: 5s } }]';
    const run = cluster.start(sandbox.plan(plan(`path: ${sandbox.target}`, stages)), '--json');
    await run.event('stage-ended', 'write');
    await cluster.startAgentSeeing(hidden, sandbox.target, 'agent-2').said(/joined the coordinator/u);
    const refused = await run.ended;
    expectError(refused, 1, 'SEEDSTORM_E_TARGET_NOT_SHARED', /agent agent-2: .* lock of the run is not seen in/u);
    expectEmpty(sandbox.target, hidden);
    await cluster.stop();
  });

  test('need not be one on nodes that have storage of their own', async ({ sandbox, skip }) => {
    needsRoot(skip, 'to make a mount namespace');
    const { cluster, hidden } = await apart(sandbox);
    const file = sandbox.plan(planTo(sandbox.target, '32MiB', ', scope: local'));
    const ended = await cluster.run(file, '--agents', '2', '--json');
    expect(ended.code, ended.stderr).toBe(0);
    for (const { unitsDone } of stageOf(ended.result, 'verify').agents) expect(unitsDone).toBeGreaterThan(0);
    expectEmpty(sandbox.target, hidden);
    await cluster.stop();
  });
});

describe('a target that another run is using', () => {
  const slow = (target: string, more = ''): string => `
data: { size: 8MiB }
target: { kind: file, path: ${target}${more} }
stages: [{ write: {} }, { verify: { delay: 60s } }, { delete: {} }]
`;

  test('is refused with who uses it, and free again when that run has ended', async ({ sandbox }) => {
    const first = sandbox.start('run', sandbox.plan(slow(sandbox.target)), '--json');
    await first.event('stage-waiting', 'verify');
    const { runId } = await first.progress('write', () => true, 'any');
    const before = sandbox.files().filter((name) => name.startsWith(runId));
    for (const more of ['', ', shareTarget: true']) {
      const second = await sandbox.run('run', sandbox.plan(planTo(sandbox.target, '8MiB', more)), '--json');
      const who = new RegExp(
        `target is in use by run ${runId}: agent agent-1 on \\S+, process \\d+, since 2\\d{3}-`,
        'u',
      );
      expectError(second, 1, 'SEEDSTORM_E_TARGET_LOCKED', who);
      expect(second.result).toMatchObject({ outcome: 'failed', stages: [], leftBehind: [] });
    }
    const checked = await sandbox.run('check', sandbox.plan(planTo(sandbox.target)));
    expect(checked.code).toBe(1);
    expect(checked.stdout).toMatch(/error SEEDSTORM_E_TARGET_LOCKED: \S+ is in use by run/u);
    expect(sandbox.files().filter((name) => name.startsWith(runId))).toEqual(before);
    first.signal('SIGINT');
    expect((await first.ended).code).toBe(130);
    sandbox.expectNothingLeft();
    const third = await sandbox.run('run', sandbox.plan(planTo(sandbox.target)));
    expect(third.code, third.stderr).toBe(0);
  });

  test('can be used beside it when both plans say so', async ({ sandbox }) => {
    const first = sandbox.start('run', sandbox.plan(slow(sandbox.target, ', shareTarget: true')), '--json');
    await first.event('stage-waiting', 'verify');
    const plan = sandbox.plan(planTo(sandbox.target, '8MiB', ', shareTarget: true'));
    const second = await sandbox.run('run', plan, '--json');
    expect(second.code, second.stderr).toBe(0);
    first.signal('SIGINT');
    await first.ended;
    sandbox.expectNothingLeft();
  });

  test('is free at once when that run was killed, and its lock is cleared away', async ({ sandbox }) => {
    const first = sandbox.start('run', sandbox.plan(slow(sandbox.target)), '--json');
    await first.event('stage-waiting', 'verify');
    const { runId } = await first.progress('write', () => true, 'any');
    for (const { pid } of sandbox.processes()) signal(pid, 'SIGKILL');
    await first.ended;
    expect(readdirSync(join(sandbox.target, '.seedstorm-locks'))).toEqual([`${runId}~agent-1`]);
    const second = await sandbox.run('run', sandbox.plan(planTo(sandbox.target)), '--json');
    expect(second.code, second.stderr).toBe(0);
    expect(second.seconds).toBeLessThan(12);
    expect(readdirSync(sandbox.target)).toEqual([runId]);
  });

  test('stays locked when the agent that holds the lock is gone and another one lives', async ({ sandbox }) => {
    const file = sandbox.plan(slow(sandbox.target));
    const first = sandbox.start('run', file, '--agents', '2', '--json');
    await first.event('stage-waiting', 'verify');
    signal(sandbox.agent('agent-1').pid, 'SIGKILL');
    const second = await sandbox.run('run', sandbox.plan(planTo(sandbox.target)));
    expectError(second, 1, 'SEEDSTORM_E_TARGET_LOCKED', /agent agent-2 on /u);
    first.signal('SIGINT');
    await first.ended;
    sandbox.expectNothingLeft();
  });
});

describe('a name in the target that leads out of it', () => {
  test('is not followed where a lock or a probe is to be: nothing is written behind it', async ({ sandbox }) => {
    const outside = sandbox.makeFolder('outside');
    symlinkSync(outside, join(sandbox.target, '.seedstorm-locks'));
    const ended = await sandbox.run('run', sandbox.plan(planTo(sandbox.target)), '--agents', '2');
    expectError(ended, 1, 'SEEDSTORM_E_TARGET_OUTSIDE', /\.seedstorm-locks is a symbolic link or a file/u);
    expectEmpty(outside);
    expect(readdirSync(sandbox.target)).toEqual(['.seedstorm-locks']);
  });

  test('by .. is refused with its place in the plan', async ({ sandbox }) => {
    const ended = await sandbox.run('run', sandbox.plan(planTo(`${sandbox.target}/../outside`)));
    expectError(
      ended,
      2,
      'SEEDSTORM_E_PLAN_INVALID',
      /plan-1\.yaml:3:\d+: target\.path: .* leads out of where it begins/u,
    );
    sandbox.expectNothingLeft();
  });

  test('in the place of a folder of files is not followed in mid-run', async ({ sandbox }) => {
    const outside = sandbox.makeFolder('outside');
    const text = `
data: { size: 5MiB, unit: 4KiB }
target: { kind: file, path: ${sandbox.target}, files: { count: 1280 } }
stages: [{ write: {} }, { write: { delay: 2s } }]
`;
    const run = sandbox.start('run', sandbox.plan(text), '--json', '--keep');
    await run.event('stage-waiting', 'write');
    const folder = join(sandbox.target, run.runId, 'd00001');
    execFileSync('rm', ['-r', folder]);
    symlinkSync(outside, folder);
    const ended = await run.ended;
    expectError(ended, 1, 'SEEDSTORM_E_IO', /d00001: (Not a directory|Too many levels of symbolic links)/u);
    expectEmpty(outside);
  });
});
