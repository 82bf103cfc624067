import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Target } from '@seedstorm/proto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findOtherRuns, HeldTarget } from './target-lock.js';
import { filesIn } from './testing.js';

let paths: string[];
beforeEach(async () => {
  paths = [];
  for (const name of ['a', 'b']) paths.push(await mkdtemp(join(tmpdir(), `seedstorm-lock-${name}-`)));
});
afterEach(async () => {
  for (const path of paths) await rm(path, { recursive: true });
});

function target(runFolder: string, shareTarget = false, of = paths): Target {
  return filesIn('/none', { paths: of, runFolder, shareTarget });
}

/** A lock as an agent on another host writes it. */
async function foreignLock(path: string, beat: number): Promise<void> {
  const folder = join(path, '.seedstorm-locks');
  await mkdir(folder, { recursive: true });
  const lock = { run: 'far', agent: 'x', host: 'node7', pid: 1, process: 'other-boot 5', since: '2026-01-01', beat };
  await writeFile(join(folder, 'far~x'), JSON.stringify({ ...lock, shares: false }));
}

describe('the lock of a target', () => {
  test('keeps another run out of every path, and leaves nothing when it is let go', async () => {
    const { held } = await HeldTarget.take(target('run-1'), 'agent-1');
    for (const path of paths) expect(await readdir(join(path, '.seedstorm-locks'))).toEqual(['run-1~agent-1']);
    await expect(HeldTarget.take(target('run-2'), 'agent-2')).rejects.toMatchObject({
      code: 'SEEDSTORM_E_TARGET_LOCKED',
      what: expect.stringMatching(/ is in use by run run-1: agent agent-1 on \S+, process \d+, since 2/u),
    });
    for (const path of paths) expect(await readdir(join(path, '.seedstorm-locks'))).toEqual(['run-1~agent-1']);
    await held.release('run');
    for (const path of paths) expect(await readdir(path)).toEqual([]);
  }, 30_000);

  test('lets the agents of one run in, and runs that all share', async () => {
    const holders = [
      await HeldTarget.take(target('run-1', true), 'agent-1'),
      await HeldTarget.take(target('run-1', true), 'agent-2'),
      await HeldTarget.take(target('run-2', true), 'agent-3'),
    ];
    expect(await findOtherRuns(target('run-3', true))).toEqual([]);
    expect((await findOtherRuns(target('run-3', false))).length).toBeGreaterThan(0);
    for (const { held } of holders) await held.release('run');
    for (const path of paths) expect(await readdir(path)).toEqual([]);
  }, 30_000);

  test('stays with the run when one of its agents goes', async () => {
    const [one, other] = [
      await HeldTarget.take(target('run-1'), 'agent-1'),
      await HeldTarget.take(target('run-1'), 'agent-2'),
    ];
    await one.held.release('agent');
    for (const path of paths) expect(await readdir(join(path, '.seedstorm-locks'))).toEqual(['run-1~agent-2']);
    await other.held.release('run');
    for (const path of paths) expect(await readdir(path)).toEqual([]);
  });

  test('of a run on another host holds as long as it is renewed', async () => {
    let beat = 0;
    await foreignLock(paths[1] ?? '', beat);
    const renewal = setInterval(() => void foreignLock(paths[1] ?? '', ++beat), 500);
    const refused = HeldTarget.take(target('run-1'), 'agent-1');
    await expect(refused)
      .rejects.toMatchObject({ code: 'SEEDSTORM_E_TARGET_LOCKED' })
      .finally(() => {
        clearInterval(renewal);
      });
    expect(await readdir(paths[0] ?? '')).toEqual([]);
  });

  test('of a run on another host that is renewed no more is cleared away, and that is said', async () => {
    await foreignLock(paths[0] ?? '', 1);
    const { held, notes } = await HeldTarget.take(target('run-1'), 'agent-1');
    expect(notes).toEqual([`the lock of run far in ${paths[0]} was cleared away: node7 renews it no more`]);
    await held.release('run');
    for (const path of paths) expect(await readdir(path)).toEqual([]);
  }, 30_000);

  test('is renewed, and made again when somebody took it for dead', async () => {
    const { held } = await HeldTarget.take(target('run-1'), 'agent-1');
    const file = join(paths[0] ?? '', '.seedstorm-locks', 'run-1~agent-1');
    const { beat } = JSON.parse(await readFile(file, 'utf8'));
    await rm(file);
    await expect.poll(() => existsSync(file), { timeout: 10_000 }).toBe(true);
    await expect
      .poll(async () => JSON.parse(await readFile(file, 'utf8')).beat, { timeout: 10_000 })
      .toBeGreaterThan(beat);
    await held.release('run');
  }, 30_000);

  test('is not written through a symbolic link', async () => {
    const outside = await mkdtemp(join(tmpdir(), 'seedstorm-lock-outside-'));
    paths.push(outside);
    await symlink(outside, join(paths[1] ?? '', '.seedstorm-locks'));
    const two = target('run-1', false, paths.slice(0, 2));
    await expect(HeldTarget.take(two, 'agent-1')).rejects.toMatchObject({ code: 'SEEDSTORM_E_TARGET_OUTSIDE' });
    expect(await readdir(outside)).toEqual([]);
    expect(await readdir(paths[0] ?? '')).toEqual([]);
  });
});
