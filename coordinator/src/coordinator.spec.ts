import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clientChannelOptions, insecureCredentials, OperatorServiceClient, tokenMetadata } from '@seedstorm/proto';
import { afterEach, describe, expect, test } from 'vitest';
import { Coordinator } from './coordinator.js';
import { ScriptedAgent } from './testing/scripted-agent.js';

const token = 'secret';
/** Nothing here writes data, so there is nothing to record. */
const neverMade = join(tmpdir(), 'seedstorm-never-made');
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function start(listen = '127.0.0.1:0'): Promise<Coordinator> {
  const coordinator = await Coordinator.start({
    listen,
    token,
    version: '0.1.0',
    dataFolder: neverMade,
    log: () => {},
  });
  closing.push(() => coordinator.close());
  return coordinator;
}

/** Who else may listen on a port. */
async function somebodyElse(): Promise<{ server: Server; address: string }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => new Promise((resolve) => server.close(resolve)));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { server, address: `127.0.0.1:${address.port}` };
}

function agentsOf(address: string): Promise<string[]> {
  const client = new OperatorServiceClient(address, insecureCredentials, clientChannelOptions);
  return new Promise<string[]>((resolve, reject) => {
    client.listAgents({}, tokenMetadata(token), (error, answer) =>
      error === null ? resolve(answer.agents.map(({ name, state }) => `${name} ${state}`)) : reject(error),
    );
  }).finally(() => client.close());
}

describe('a coordinator', () => {
  test('on port 0 takes a free port and says which', async () => {
    const [first, second] = [await start(), await start()];
    expect(first.address).toMatch(/^127\.0\.0\.1:[1-9]\d*$/u);
    expect(second.address).not.toBe(first.address);
    expect(await agentsOf(first.address)).toEqual([]);
  });

  test('on a port that is taken says so and what to do, and keeps nothing running', async () => {
    const { address } = await somebodyElse();
    await expect(start(address)).rejects.toMatchObject({
      code: 'SEEDSTORM_E_PORT_TAKEN',
      what: expect.stringContaining(address),
      mend: expect.stringContaining('--listen'),
    });
  });

  test.each(['192.0.2.1:0', 'no such host:1', '127.0.0.1', '127.0.0.1:99999', '', 'unix:/nowhere:1', '::1:7070'])(
    'cannot listen on “%s” and says so, with the way to write it',
    async (listen) => {
      await expect(start(listen)).rejects.toMatchObject({
        code: 'SEEDSTORM_E_INVALID_ARGUMENT',
        mend: expect.stringContaining('host:port'),
      });
    },
  );

  test('when it closes lets its agents go, gives its port back, and may be closed again', async () => {
    const coordinator = await start();
    const agent = new ScriptedAgent(coordinator.address, token, { name: 'a' });
    closing.push(() => agent.close());
    await agent.next('welcome');
    expect(await agentsOf(coordinator.address)).toEqual(['a present']);
    await coordinator.close();
    expect(agent.all('dismiss')).toEqual([{ reason: undefined }]);
    expect(await agent.ended).toBeUndefined();
    await coordinator.close();
    const again = await start(coordinator.address);
    expect(again.address).toBe(coordinator.address);
  });

  test('that closes while a run waits for agents ends the run first', async () => {
    const coordinator = await start();
    const client = new OperatorServiceClient(coordinator.address, insecureCredentials, clientChannelOptions);
    closing.push(() => client.close());
    const text = 'data: { size: 1MiB }\ntarget: { kind: "null" }\nstages: [generate: {}]\n';
    const runId = await new Promise<string>((resolve, reject) => {
      const request = { plan: { text, fileName: 'p', folder: '/' }, agents: 1, agentsTimeoutMs: 0, keep: false };
      client.submitRun(request, tokenMetadata(token), (error, answer) =>
        error === null ? resolve(answer.runId) : reject(error),
      );
    });
    const outcome = new Promise((resolve) => {
      client.watchRun({ runId }, tokenMetadata(token)).on('data', ({ message }) => {
        if (message?.$case === 'result') resolve(message.value.outcome);
      });
    });
    await coordinator.close();
    expect(await outcome).toBe('cancelled');
  });
});
