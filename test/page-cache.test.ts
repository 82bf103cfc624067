/** What a run says of the page cache, and does to it: the machine has one, which other suites must not empty meanwhile. */
import { execFileSync } from 'node:child_process';
import { describe, expect } from 'vitest';
import { expectError } from './support/errors.js';
import { stageOf } from './support/messages.js';
import { needsRoot } from './support/needs.js';
import { test } from './support/test.js';

const MiB = 1024 ** 2;

describe('the page cache', () => {
  /** A plan of 32 MiB on 32 files. */
  const plan = (target: string, direct: boolean, stages: string): string => `
data: { size: 32MiB, unit: 256KiB }
target: { kind: file, path: ${target}, files: { count: 32 }, io: { direct: ${direct} } }
stages: ${stages}
`;

  test('that answers a read is told, in the table too, and is empty where the plan has it dropped', async ({
    sandbox,
    skip,
  }) => {
    needsRoot(skip, 'to drop the page cache');
    const stages = '[{ write: {} }, { verify: {} }, { read: { dropCaches: true } }, { delete: {} }]';
    const file = sandbox.plan(plan(sandbox.target, false, stages));
    const { code, stderr, result } = await sandbox.run('run', file, '--json');
    expect(code, stderr).toBe(0);
    const { cache: cached } = stageOf(result, 'verify');
    expect(cached).toMatchObject({ reads: 'cached', before: { objects: 32, pages: 8192, resident: 8192 } });
    expect(cached?.after?.resident).toBeGreaterThan(0);
    const { cache: dropped } = stageOf(result, 'read');
    expect(dropped).toMatchObject({ reads: 'uncached', before: { objects: 32, pages: 8192 } });
    expect(stageOf(result, 'write').cache?.reads).toBe('none');

    const { stdout } = await sandbox.run('run', file);
    expect(stdout).toMatch(/│ verify \(cached\) +│/u);
    expect(stdout).toMatch(/│ read +│/u);
    expect(stdout).toMatch(/^verify: .*reads were cached: (100|9\d)\.\d% of a sample/mu);
  });

  test('has no part in reads around it', async ({ sandbox, skip }) => {
    needsRoot(skip, 'to make a disk');
    const disk = sandbox.mountDisk('disk', 128 * MiB);
    const ended = await sandbox.run(
      'run',
      sandbox.plan(plan(disk, true, '[{ write: {} }, { verify: {} }, { delete: {} }]')),
      '--json',
    );
    expect(ended.code, ended.stderr).toBe(0);
    expect(stageOf(ended.result, 'verify').cache).toMatchObject({ reads: 'direct', before: { pages: 0 } });
  });

  test('that may not be dropped fails the run where the plan insists, and is noted where not', async ({
    sandbox,
    skip,
  }) => {
    needsRoot(skip, 'to run the command as another user');
    const user = 65_534;
    sandbox.giveTo(user);
    execFileSync('chown', [String(user), sandbox.target]);
    const of = (drop: string): string =>
      sandbox.plan(plan(sandbox.target, false, `[{ write: {} }, { read: { dropCaches: ${drop} } }, { delete: {} }]`));
    const insists = await sandbox.startAs(user, 'run', of('true')).ended;
    expectError(insists, 1, 'SEEDSTORM_E_DROP_CACHES_REFUSED', /page cache of this host was not dropped/u);
    sandbox.expectNothingLeft();
    const tries = await sandbox.startAs(user, 'run', of('auto'), '--json').ended;
    expect(tries.code, tries.stderr).toBe(0);
    expect(tries.result.notes).toContainEqual(expect.stringContaining('was not dropped'));
    expect(stageOf(tries.result, 'read').cache?.reads).toBe('cached');
  });
});
