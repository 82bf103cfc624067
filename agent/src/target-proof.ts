/**
 * One agent's part in the proof that all agents see one target: writes a token, looks for those of others, removes what
 * was written. Leaves nothing behind; must not know who the others are.
 */
import { constants } from 'node:fs';
import { open, readdir, readFile, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { SeedstormError } from '@seedstorm/errors';
import { type ProbeTarget, type TargetProbed, type Token, toErrorDetail, type Unseen } from '@seedstorm/proto';
import { makeOwnFolder, targetPaths } from './file-target.js';

/** How long a token is looked for: clients of network file systems remember for some seconds what was not there. */
const patienceMs = 6000;
const pauseMs = 200;
const proofPattern = /^[0-9a-f]{8,64}$/u;

/** Does one step of the proof; what goes wrong is in the answer. */
export async function probeTarget(question: ProbeTarget): Promise<TargetProbed> {
  const answer: TargetProbed = { id: question.id, error: undefined, unseen: [] };
  try {
    const { target, proof, step, own, others } = question;
    if (target?.kind?.$case !== 'file' || !proofPattern.test(proof)) {
      throw new SeedstormError({ code: 'SEEDSTORM_E_MESSAGE_INVALID', what: 'a proof needs files and a name' });
    }
    const name = `.seedstorm-check-${proof}`;
    for (const path of targetPaths(target.kind.value)) {
      if (step === 'write' && own !== undefined) await write(path, name, own);
      if (step === 'remove') await remove(join(path, name), [...(own === undefined ? [] : [own]), ...others]);
    }
    if (step === 'read') answer.unseen = await unseen(targetPaths(target.kind.value), name, others);
  } catch (error) {
    answer.error = toErrorDetail(error);
  }
  return answer;
}

async function write(path: string, name: string, { agent, token }: Token): Promise<void> {
  const folder = await makeOwnFolder(path, name);
  const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
  const file = await open(join(folder, String(agent)), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o644);
  try {
    await file.writeFile(token);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The tokens that do not turn up in time. */
async function unseen(paths: readonly string[], name: string, others: readonly Token[]): Promise<Unseen[]> {
  const deadline = performance.now() + patienceMs;
  let missing = paths.flatMap((path) => others.map((other) => ({ path, other })));
  for (;;) {
    // Listing a folder makes a client ask its server again.
    for (const path of paths) await readdir(join(path, name)).catch(() => []);
    const looked = await Promise.all(
      missing.map(async ({ path, other }) => {
        const text = await readFile(join(path, name, String(other.agent)), 'utf8').catch(() => '');
        return text === other.token ? [] : [{ path, other }];
      }),
    );
    missing = looked.flat();
    if (missing.length === 0 || performance.now() > deadline) break;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  return missing.map(({ path, other }) => ({ path, agent: other.agent }));
}

/** Whoever comes last removes the folder too; what others left there who are gone by now goes with it. */
async function remove(folder: string, tokens: readonly Token[]): Promise<void> {
  for (const { agent } of tokens) await unlink(join(folder, String(agent))).catch(() => {});
  await rmdir(folder).catch(() => {});
}
