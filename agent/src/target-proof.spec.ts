import { mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TargetProbed, Token } from '@seedstorm/proto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { probeTarget } from './target-proof.js';
import { filesIn } from './testing.js';

const proof = '0123456789abcdef';
const tokens: Token[] = [0, 1, 2].map((agent) => ({ agent, token: `token of ${agent}` }));
let path: string;
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'seedstorm-proof-'));
});
afterEach(() => rm(path, { recursive: true }));

function step(name: string, agent: number, changes: { proof?: string; paths?: string[] } = {}): Promise<TargetProbed> {
  const others = tokens.filter((token) => token.agent !== agent);
  const target = filesIn(path, changes.paths === undefined ? {} : { paths: changes.paths });
  return probeTarget({ id: 1n, target, proof: changes.proof ?? proof, step: name, own: tokens[agent], others });
}

describe('the proof that a target is shared', () => {
  test('finds what others wrote, and leaves nothing behind', async () => {
    for (const { agent } of tokens) expect(await step('write', agent)).toMatchObject({ error: undefined });
    for (const { agent } of tokens) expect(await step('read', agent)).toMatchObject({ error: undefined, unseen: [] });
    await Promise.all(tokens.map(({ agent }) => step('remove', agent)));
    expect(await readdir(path)).toEqual([]);
  });

  test('waits for a client that is slow to see a new file', async () => {
    await step('write', 0);
    await step('write', 1);
    const read = step('read', 0);
    setTimeout(() => void step('write', 2), 1000);
    expect((await read).unseen).toEqual([]);
  });

  test('names whose file is not there, or holds something else, and where', async () => {
    await step('write', 0);
    await writeFile(join(path, `.seedstorm-check-${proof}`, '2'), 'somebody else');
    expect((await step('read', 0)).unseen).toEqual([
      { path, agent: 1 },
      { path, agent: 2 },
    ]);
    // Who has gone without removing its own is cleared up after.
    await step('remove', 0);
    expect(await readdir(path)).toEqual([]);
  }, 30_000);

  test('leads nowhere else by a link or by a name', async () => {
    const outside = await mkdtemp(join(tmpdir(), 'seedstorm-outside-'));
    await symlink(outside, join(path, `.seedstorm-check-${proof}`));
    expect((await step('write', 0)).error?.code).toBe('SEEDSTORM_E_TARGET_OUTSIDE');
    for (const changes of [{ proof: '../../x' }, { paths: [`${path}/../x`] }, { paths: ['relative'] }, { paths: [] }]) {
      expect((await step('write', 0, changes)).error?.code).toBe('SEEDSTORM_E_MESSAGE_INVALID');
    }
    expect(await readdir(outside)).toEqual([]);
    await rm(outside, { recursive: true });
  });
});
