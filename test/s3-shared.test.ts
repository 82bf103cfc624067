/** One store and several runs and agents: who uses it is told, and that it is one and the same for all is proven. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { Cluster } from './support/cluster.js';
import { expectError } from './support/errors.js';
import { eventsOf } from './support/messages.js';
import { needsRoot } from './support/needs.js';
import { signal } from './support/processes.js';
import type { Sandbox } from './support/sandbox.js';
import { bucket, credentials, oneStore, type Store } from './support/store.js';
import { test } from './support/test.js';

const theStore = oneStore();
const anotherStore = oneStore();

function planFor(sandbox: Sandbox, endpoints: string, stages: string, more = ''): string {
  return sandbox.plan(`
data: { size: 1MiB, unit: 64KiB }
target: { kind: s3, endpoints: [${endpoints}], bucket: ${bucket}, prefix: teams/storage, objects: { size: 64KiB } ${more} }
stages: [${stages}]
`);
}

const short = '{ write: {} }, { delete: {} }';
const long = '{ write: {} }, { delete: { delay: 30s } }';

async function expectEmpty(store: Store): Promise<void> {
  expect([await store.keys(), await store.notes()]).toEqual([[], []]);
}

describe('a store that a run uses', () => {
  test('is refused to another run, which is told who uses it, and is free when the run was stopped', async ({
    sandbox,
    skip,
  }) => {
    const store = theStore(skip);
    const first = sandbox.startWith(credentials, 'run', planFor(sandbox, store.endpoint, long), '--json');
    await first.event('stage-ended', 'write');
    const before = await store.keys();
    expect(await store.notes()).toEqual([expect.stringMatching(/^teams\/storage\/\.seedstorm-locks\/.+~.+$/u)]);
    const plan = planFor(sandbox, store.otherEndpoint, short);
    const who = /s3:\/\/qualify\/teams\/storage .* is in use by run \S+: agent \S+ on \S+, process \d+, since 2/u;
    const refused = await sandbox.startWith(credentials, 'run', plan).ended;
    expectError(refused, 1, 'SEEDSTORM_E_TARGET_LOCKED', who);
    const checked = await sandbox.startWith(credentials, 'check', plan).ended;
    expect(checked.code).not.toBe(0);
    expect(checked.stdout + checked.stderr).toMatch(who);
    expect(await store.keys()).toEqual(before);
    first.signal('SIGINT');
    expect((await first.ended).code).toBe(130);
    await expectEmpty(store);
    expect((await sandbox.startWith(credentials, 'run', plan).ended).code).toBe(0);
    await expectEmpty(store);
  });

  test('is shared by runs whose plans both say so', async ({ sandbox, skip }) => {
    const store = theStore(skip);
    const plan = planFor(sandbox, store.endpoint, long, ', shareTarget: true');
    const first = sandbox.startWith(credentials, 'run', plan, '--json');
    await first.event('stage-ended', 'write');
    const other = planFor(sandbox, store.endpoint, short, ', shareTarget: true');
    const { code, stderr } = await sandbox.startWith(credentials, 'run', other).ended;
    expect(code, stderr).toBe(0);
    first.signal('SIGINT');
    expect((await first.ended).code).toBe(130);
    await expectEmpty(store);
  });

  test('is taken from a run whose processes were killed, and that is said', async ({ sandbox, skip }) => {
    const store = theStore(skip);
    const first = sandbox.startWith(credentials, 'run', planFor(sandbox, store.endpoint, long), '--json');
    await first.event('stage-ended', 'write');
    for (const { pid } of sandbox.processes()) signal(pid, 'SIGKILL');
    await first.ended;
    const left = await store.keys();
    expect(await store.notes()).toHaveLength(1);
    const plan = planFor(sandbox, store.endpoint, short);
    const { code, lines, stderr } = await sandbox.startWith(credentials, 'run', plan, '--json').ended;
    expect(code, stderr).toBe(0);
    const said = eventsOf(lines, 'note')
      .map(({ text }) => text)
      .join();
    expect(said).toMatch(/the lock of run \S+ in s3:\/\/qualify\/teams\/storage .* was cleared away/u);
    expect(await store.keys()).toEqual(left);
    for (const key of left) await store.remove(key);
    await expectEmpty(store);
  });
});

describe('that a store is one and the same', () => {
  test('for endpoints that lead to two of them is disproven before anything is written', async ({ sandbox, skip }) => {
    const one = theStore(skip);
    const other = anotherStore(skip);
    const plan = planFor(sandbox, `${one.endpoint}, ${other.endpoint}`, short);
    const ended = await sandbox.startWith(credentials, 'run', plan, '--agents', '1').ended;
    expectError(ended, 1, 'SEEDSTORM_E_TARGET_NOT_SHARED', new RegExp(`does not see in .* at ${other.endpoint}`, 'u'));
    for (const store of [one, other]) await expectEmpty(store);
  });

  test('for agents that find another one under its name is disproven, and which agents those are', async ({
    sandbox,
    skip,
  }) => {
    needsRoot(skip, 'to show an agent other names of hosts');
    const one = theStore(skip);
    const other = anotherStore(skip);
    const { port } = new URL(one.endpoint);
    // Another server at the same port of another address: one name leads to either.
    const there = await forward('127.0.0.2', Number(port), Number(new URL(other.endpoint).port));
    try {
      signIn(sandbox);
      const hosts = readFileSync('/etc/hosts', 'utf8');
      const seen = (address: string): string => {
        const file = join(sandbox.folder, `hosts-${address}`);
        writeFileSync(file, `${hosts}\n${address} store.test\n`);
        return file;
      };
      const cluster = await Cluster.start(sandbox, 0);
      for (const [name, address] of [
        ['agent-1', '127.0.0.1'],
        ['agent-2', '127.0.0.2'],
      ] as const) {
        const agent = cluster.startAgentSeeing(seen(address), '/etc/hosts', name);
        await agent.said(/joined the coordinator/u);
      }
      const plan = planFor(sandbox, `http://store.test:${port}`, short);
      const run = await cluster.run(plan, '--json');
      expect(run.code).toBe(1);
      expect(run.result.error?.code).toBe('SEEDSTORM_E_TARGET_NOT_SHARED');
      const said =
        run.result.error?.what +
        eventsOf(run.lines)
          .map(({ text }) => text)
          .join('\n');
      expect(said).toMatch(
        /agent-1 on \S+ does not see in s3:\/\/qualify\/teams\/storage .* what agent-2 wrote there/u,
      );
      const checked = await sandbox.start('check', plan, ...cluster.flags).ended;
      expect(checked.stdout + checked.stderr).toMatch(/does not see in s3:\/\/qualify/u);
      for (const store of [one, other]) await expectEmpty(store);
      await cluster.stop();
    } finally {
      there.close();
    }
  });
});

/** Credentials where the usual tools look for them, for all commands of the sandbox. */
function signIn(sandbox: Sandbox): void {
  mkdirSync(join(sandbox.home, '.aws'));
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: key } = credentials;
  const text = `[default]\naws_access_key_id = ${id}\naws_secret_access_key = ${key}\n`;
  writeFileSync(join(sandbox.home, '.aws', 'credentials'), text, { mode: 0o600 });
}

/** Hands on connections to a port of this host. */
async function forward(address: string, from: number, to: number): Promise<Server> {
  const server = createServer((socket) => {
    const onward = connect(to, '127.0.0.1');
    socket.pipe(onward).pipe(socket);
    for (const end of [socket, onward]) end.on('error', () => {});
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(from, address, resolve);
  });
  return server;
}
