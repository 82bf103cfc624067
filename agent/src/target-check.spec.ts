import { spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CheckLevel, type CheckTarget, type TargetChecked } from '@seedstorm/proto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkTarget } from './target-check.js';
import { checkQuestion, filesIn } from './testing.js';

const gib = 1024n ** 3n;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'seedstorm-check-'));
});
afterAll(() => rm(folder, { recursive: true }));

const inFolder = (path: string, bytes = 0n, direct = 'auto'): CheckTarget =>
  checkQuestion({
    id: 9n,
    target: filesIn(path, { direct }),
    bytes,
  });

/** The codes of a check's errors. */
const errors = ({ findings }: TargetChecked): (string | undefined)[] =>
  findings.filter(({ level }) => level === CheckLevel.ERROR).map(({ detail }) => detail?.code);

describe('the check of a target', () => {
  test('of a good folder finds no error, tells what is free there, and leaves nothing behind', async () => {
    const checked = await checkTarget(inFolder(folder, 4096n), 12);
    expect(errors(checked)).toEqual([]);
    expect(checked).toMatchObject({ id: 9n, lanes: 12, device: expect.stringMatching(/^\d+$/u) });
    expect(checked.freeBytes).toBeGreaterThan(0n);
    expect(await readdir(folder)).toEqual([]);
  });

  test('names the folder that does not exist', async () => {
    const checked = await checkTarget(inFolder(join(folder, 'nowhere')), 1);
    expect(errors(checked)).toEqual(['SEEDSTORM_E_TARGET_MISSING']);
    expect(checked.findings[0]?.detail?.what).toContain(join(folder, 'nowhere'));
  });

  test('finds that the target is a file', async () => {
    await writeFile(join(folder, 'file'), '');
    expect(errors(await checkTarget(inFolder(join(folder, 'file')), 1))).toEqual(['SEEDSTORM_E_TARGET_NOT_WRITABLE']);
    expect(errors(await checkTarget(inFolder(join(folder, 'file', 'below')), 1))).toHaveLength(1);
    await rm(join(folder, 'file'));
  });

  test('finds that there is too little room, before anything is written, and says how much is wanted', async () => {
    const { freeBytes } = await checkTarget(inFolder(folder), 1);
    const checked = await checkTarget(inFolder(folder, freeBytes + gib), 1);
    expect(errors(checked)).toEqual(['SEEDSTORM_E_SPACE']);
    expect(checked.findings[0]?.detail?.what).toMatch(/ free; the plan writes .* there and needs /u);
    expect(await readdir(folder)).toEqual([]);
  });

  test('wants some room beside the data: a file system that is full to the brim is slow', async () => {
    const { freeBytes } = await checkTarget(inFolder(folder), 1);
    expect(errors(await checkTarget(inFolder(folder, freeBytes - gib / 2n), 1))).toEqual(['SEEDSTORM_E_SPACE']);
  });

  test('finds that the folder may not be written to', async () => {
    const locked = join(folder, 'locked');
    await mkdir(locked, { mode: 0o555 });
    // Root may write everywhere, so an ordinary user has to look.
    const script = `
      const { checkTarget } = await import(${JSON.stringify(new URL('../dist/target-check.js', import.meta.url).href)});
      if (process.getuid() === 0) process.setuid(65534);
      const file = { paths: [${JSON.stringify(locked)}], runFolder: 'run', direct: 'auto', sync: 'range' };
      const target = { kind: { $case: 'file', value: file } };
      const { findings } = await checkTarget({ id: 1n, target, blockBytes: 4096n, bytes: 0n, objects: 1n, leaseObjects: 1n, queueDepth: 1 }, 1);
      console.log(JSON.stringify(findings));`;
    await chmod(folder, 0o755);
    const child = spawnSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' });
    expect(child.stderr).toBe('');
    expect(JSON.parse(child.stdout)).toEqual([
      {
        level: CheckLevel.ERROR,
        detail: expect.objectContaining({
          code: 'SEEDSTORM_E_TARGET_NOT_WRITABLE',
          what: `the target folder ${locked} cannot be written to: permission denied`,
        }),
      },
    ]);
  });

  test('of memory warns when this agent alone cannot keep all of it', async () => {
    const memory = (limitBytes: bigint, bytes: bigint): Promise<TargetChecked> => {
      const target = { kind: { $case: 'memory', value: { limitBytes } } } as const;
      return checkTarget(checkQuestion({ target, bytes }), 1);
    };
    expect((await memory(0n, 1n)).findings).toEqual([]);
    const warned = await memory(1000n, 2000n);
    expect(warned.findings).toMatchObject([
      { level: CheckLevel.WARNING, detail: { code: 'SEEDSTORM_E_SPACE', mend: expect.stringContaining('data.size') } },
    ]);
  });

  test('of nowhere has nothing to find', async () => {
    const target = { kind: { $case: 'null', value: {} } } as const;
    expect((await checkTarget(checkQuestion({ target, bytes: 2n ** 60n }), 3)).findings).toEqual([]);
  });
});
