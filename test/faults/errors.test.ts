/** Storage that gives errors: what ends a run, what a plan lets pass, and that an error is never taken for corruption. */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect } from 'vitest';
import { type ResultLine, stageOf } from '../support/messages.js';
import { Sandbox } from '../support/sandbox.js';
import { Disk, FaultyDisk } from './disk.js';
import { onDisk } from './needs.js';

const MiB = 1024 ** 2;

function plan(target: string, stages: string, more = ''): string {
  return `
data: { size: 64MiB, unit: 256KiB }
target: { kind: file, path: ${target}, files: { size: 1MiB } }
control: { settleTimeout: 1s }
stages: [${stages}]
${more}`;
}

/** Asserts that every unit of a stage is accounted for, and gives how many were done and how many were not. */
function accounts(result: ResultLine, name: string): { done: number; failed: number; leftOut: number } {
  const { complete, units, unitsDone, unitsFailed, unitsNotWritten } = stageOf(result, name);
  expect(complete).toBe(true);
  expect(unitsDone + unitsFailed + unitsNotWritten).toBe(units);
  return { done: unitsDone, failed: unitsFailed, leftOut: unitsNotWritten };
}

let sandbox: Sandbox;
beforeEach(() => {
  sandbox = new Sandbox();
});
afterEach(() => sandbox[Symbol.asyncDispose]());

describe('a disk that gives errors', () => {
  let faulty: FaultyDisk | undefined;
  afterEach(async () => {
    await faulty?.remove();
    faulty = undefined;
  });

  onDisk('a failed write ends the run with the file and the reason, and is not called corruption', async () => {
    faulty = await FaultyDisk.make(sandbox, 'disk', { kind: 'ext4', megabytes: 200 }, { writeMs: 20 });
    const target = faulty.disk.target();
    const run = sandbox.start(
      'run',
      sandbox.plan(plan(target, '{ write: {} }, { verify: {} }')),
      '--agents',
      '2',
      '--json',
    );
    await run.midStage('write');
    faulty.fail('pwrite');
    const ended = await run.ended;
    expect(ended.code).toBe(1);
    expect(ended.result).toMatchObject({ outcome: 'failed', findings: [] });
    expect(ended.result.error?.what).toMatch(
      /^agent agent-[12]: could not .*\/\d{8}-\d{6}-[0-9a-f]{8}(\/f\d{8})?: (Input\/output error|Read-only)/u,
    );
    const { unitsDone, units, ioErrors, complete } = stageOf(ended.result, 'write');
    expect([complete, unitsDone < units]).toEqual([false, true]);
    expect(ioErrors.length).toBeGreaterThan(0);
    for (const { path, agent } of ioErrors) {
      expect(path.startsWith(`${target}/${ended.result.runId}`)).toBe(true);
      expect(agent).toMatch(/^agent-[12]$/u);
    }
  });

  onDisk(
    'failed reads that the plan lets pass are counted by file, agent and lane, and the rest is verified',
    async () => {
      faulty = await FaultyDisk.make(sandbox, 'disk', { kind: 'ext4', megabytes: 200 }, { readMs: 10 });
      const target = faulty.disk.target();
      const stages = '{ write: {} }, { verify: { delay: 2s } }, { delete: {} }';
      const text = plan(target, stages, 'errors: { read: 100000 }');
      const run = sandbox.start('run', sandbox.plan(text), '--agents', '2', '--json');
      await run.event('stage-waiting', 'verify');
      // Names are read again before the disk fails, so that it is the data that cannot be read.
      Disk.dropCaches();
      for (const file of sandbox.files(target)) existsSync(join(target, file));
      await run.progress('verify', ({ unitsDone }) => unitsDone > 0, 'units done');
      faulty.fail('pread');
      await run.progress('verify', ({ errors }) => errors > 0, 'errors');
      faulty.mend();
      const { code, stderr, result } = await run.ended;
      expect(code, stderr).toBe(3);
      expect(result).toMatchObject({ outcome: 'errors', findings: [], leftBehind: [] });
      const { done, failed } = accounts(result, 'verify');
      expect([done > 0, failed > 0]).toEqual([true, true]);
      const { ioErrors, errors } = stageOf(result, 'verify');
      expect(ioErrors.reduce((sum, { count }) => sum + count, 0)).toBe(errors);
      for (const { kind, path, agent, lane, first } of ioErrors) {
        expect({ kind, agent, lane }).toEqual({
          kind: 'read',
          agent: expect.stringMatching(/^agent-[12]$/u),
          lane: expect.any(Number),
        });
        expect(path).toMatch(/\/f\d{8}$/u);
        expect(first?.what).toContain('Input/output error');
      }
      expect(sandbox.files(target)).toEqual([]);
    },
  );

  onDisk(
    'a disk that fails writes for a while loses what it could not keep, and nothing that it said is durable',
    async () => {
      const options = 'errors=continue';
      faulty = await FaultyDisk.make(
        sandbox,
        'disk',
        { kind: 'ext4', megabytes: 200, options, journal: false },
        { writeMs: 8 },
      );
      const target = faulty.disk.target();
      const text = plan(target, '{ write: {} }, { verify: {} }', 'errors: { upTo: 100000 }');
      const run = sandbox.start('run', sandbox.plan(text), '--agents', '2', '--json');
      await run.midStage('write');
      faulty.fail('pwrite');
      await run.progress('write', ({ errors }) => errors > 0, 'errors');
      faulty.mend();
      const { code, stderr, result } = await run.ended;
      expect(code, stderr).toBe(3);
      expect(result).toMatchObject({ outcome: 'errors', findings: [] });
      const written = accounts(result, 'write');
      expect([written.done > 0, written.failed > 0]).toEqual([true, true]);
      expect(stageOf(result, 'write').ioErrors.map(({ kind }) => kind)).toContain('write');
      expect(accounts(result, 'verify')).toEqual({ done: written.done, failed: 0, leftOut: written.failed });
    },
  );

  onDisk('one error more than the plan lets pass ends the stage, and says how many there were', async () => {
    faulty = await FaultyDisk.make(sandbox, 'disk', { kind: 'ext4', megabytes: 200 });
    const target = faulty.disk.target();
    const text = plan(target, '{ write: {} }, { read: { delay: 2s } }', 'errors: { upTo: 20, read: 3 }');
    const run = sandbox.start('run', sandbox.plan(text), '--agents', '2', '--json');
    await run.event('stage-waiting', 'read');
    faulty.fail('pread');
    const readAll = run.event('cleaning-up').then(() => faulty?.mend());
    const { code, result } = await run.ended;
    await readAll;
    expect(code).toBe(1);
    expect(result.error?.code).toBe('SEEDSTORM_E_TOO_MANY_ERRORS');
    expect(result.error?.what).toMatch(
      /^\d+ read errors, and the plan lets 3 pass; one of them: agent agent-[12]: could not read /u,
    );
  });

  onDisk('a disk that stops to answer for ten seconds is said to hang, is waited for, and loses nothing', async () => {
    faulty = await FaultyDisk.make(sandbox, 'disk', { kind: 'ext4', megabytes: 200 }, { writeMs: 6 });
    const target = faulty.disk.target();
    const stages = '{ write: {} }, { verify: {} }, { delete: {} }';
    const run = sandbox.start('run', sandbox.plan(plan(target, stages)), '--agents', '2', '--json');
    await run.midStage('write');
    faulty.stop();
    const stopped = Date.now();
    const hangs = await run.event('io-hangs');
    expect(hangs).toMatchObject({ level: 'warning', stageName: 'write' });
    expect(hangs.text).toMatch(/^agent agent-[12]: I\/O hangs: for 5 s no operation of write has come back/u);
    await new Promise((resolve) => setTimeout(resolve, 10_000 - (Date.now() - stopped)));
    faulty.resume();
    await run.event('io-back');
    const { code, stderr, result } = await run.ended;
    expect(code, stderr).toBe(0);
    expect(result).toMatchObject({ outcome: 'passed', findings: [], leftBehind: [], agentsLost: 0 });
    expect(accounts(result, 'write').done).toBe(256);
    expect(accounts(result, 'verify').done).toBe(256);
    expect(stageOf(result, 'write').durationNs).toBeGreaterThan(8e9);
    expect(sandbox.files(target)).toEqual([]);
  });
});

describe('a file system that fills up in the middle of a run', () => {
  let disk: Disk | undefined;
  afterEach(() => {
    disk?.remove();
    disk = undefined;
  });

  /** A run on a disk that somebody else fills, but for a few MiB, before it writes. */
  async function onFullDisk(more: string): Promise<{ code: number | null; result: ResultLine; target: string }> {
    disk = Disk.make(sandbox, 'disk', { kind: 'ext4', megabytes: 200, options: 'rw' });
    const target = disk.target();
    const stages = '{ write: { delay: 2s } }, { verify: {} }, { delete: {} }';
    const run = sandbox.start('run', sandbox.plan(plan(target, stages, more)), '--agents', '2', '--json');
    await run.event('stage-waiting', 'write');
    const ballast = join(disk.folder, 'ballast');
    for (let megabytes = 150; megabytes > 0; megabytes -= 1) {
      try {
        writeFileSync(ballast, Buffer.alloc(megabytes * MiB));
        break;
      } catch {
        // It was more than there was room for.
      }
    }
    disk.flush(ballast);
    return { ...(await run.ended), target };
  }

  onDisk('the run fails and says so, and removes what it wrote', async () => {
    const { code, result, target } = await onFullDisk('');
    expect(code).toBe(1);
    expect(result).toMatchObject({ outcome: 'failed', findings: [], error: { code: 'SEEDSTORM_E_DISK_FULL' } });
    expect(result.error?.what).toContain('No space left on device');
    expect([result.leftBehind, readdirSync(target)]).toEqual([[], []]);
  });

  onDisk(
    'where the plan lets that pass, what was written is verified, and what was not is not called corrupt',
    async () => {
      const { code, result, target } = await onFullDisk('errors: { full: 100000 }');
      expect(result).toMatchObject({ outcome: 'errors', findings: [], leftBehind: [] });
      expect(code).toBe(3);
      const written = accounts(result, 'write');
      expect([written.done > 0, written.failed > 0]).toEqual([true, true]);
      expect(stageOf(result, 'write').ioErrors.map(({ kind }) => kind)).toContain('full');
      expect(accounts(result, 'verify')).toEqual({ done: written.done, failed: 0, leftOut: written.failed });
      expect(result.notes).toContain(
        `write: ${written.failed} units failed with I/O errors that the plan lets pass; they are not read or verified`,
      );
      expect(readdirSync(target)).toEqual([]);
    },
  );
});

describe('a file system that gives up in the middle of a run', () => {
  let faulty: FaultyDisk | undefined;
  afterEach(async () => {
    await faulty?.remove();
    faulty = undefined;
  });

  onDisk('one that goes read-only ends the run with that word, and what it leaves is named', async () => {
    const options = 'errors=remount-ro';
    faulty = await FaultyDisk.make(sandbox, 'disk', { kind: 'ext4', megabytes: 200, options }, { writeMs: 20 });
    const target = faulty.disk.target();
    const run = sandbox.start(
      'run',
      sandbox.plan(plan(target, '{ write: {} }, { verify: {} }')),
      '--agents',
      '2',
      '--json',
    );
    await run.midStage('write');
    faulty.disk.breakDown();
    const { code, result } = await run.ended;
    expect(code).toBe(1);
    expect(result).toMatchObject({ outcome: 'failed', findings: [], leftBehind: [join(target, result.runId)] });
    expect(result.error?.what).toMatch(/Read-only file system|Input\/output error/u);
  });

  onDisk('one that is shut down as by a power cut ends the run, and nothing is called corrupt', async () => {
    faulty = await FaultyDisk.make(sandbox, 'disk', { kind: 'xfs', megabytes: 400 }, { writeMs: 20 });
    const target = faulty.disk.target();
    const run = sandbox.start(
      'run',
      sandbox.plan(plan(target, '{ write: {} }, { verify: {} }')),
      '--agents',
      '2',
      '--json',
    );
    await run.midStage('write');
    faulty.disk.shutDown();
    const { code, result } = await run.ended;
    expect(code).toBe(1);
    expect(result).toMatchObject({ outcome: 'failed', findings: [], leftBehind: [join(target, result.runId)] });
    expect(result.error?.what).toContain('Input/output error');
  });
});
