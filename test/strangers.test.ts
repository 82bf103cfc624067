/** A coordinator's port takes from strangers what they send, and goes on serving its own. */
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { ServiceError } from '@grpc/grpc-js';
import type { SeedstormError } from '@seedstorm/errors';
import {
  AgentServiceClient,
  type AttendRequest,
  fromStatus,
  insecureCredentials,
  protocolVersion,
  tokenMetadata,
} from '@seedstorm/proto';
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest';
import { Cluster } from './support/cluster.js';
import { expectError } from './support/errors.js';
import { planTo } from './support/plans.js';
import { Sandbox } from './support/sandbox.js';
import { test } from './support/test.js';

describe('a coordinator that strangers talk to', () => {
  let place: Sandbox;
  let cluster: Cluster;

  beforeAll(async () => {
    place = new Sandbox();
    cluster = await Cluster.start(place, 1);
  });
  afterAll(async () => {
    await cluster.stop();
    place.expectNothingLeft();
    await place[Symbol.asyncDispose]();
  });
  // Whatever was said to it, it still serves.
  afterEach(async () => {
    const { code, stderr } = await cluster.run(place.plan(planTo(place.target, '1MiB')));
    expect(code, stderr).toBe(0);
  });

  /** What the coordinator answers to an agent that says this. */
  async function answer(token: string, ...said: AttendRequest[]): Promise<SeedstormError> {
    const client = new AgentServiceClient(cluster.address, insecureCredentials);
    try {
      const error = await new Promise<ServiceError>((resolve, reject) => {
        const stream = client.attend(tokenMetadata(token));
        stream.on('error', resolve);
        stream.on('data', () => {});
        stream.on('end', () => reject(new Error('the stream ended without an error')));
        for (const message of said) stream.write(message);
      });
      return fromStatus(error, cluster.address);
    } finally {
      client.close();
    }
  }

  const hello = {
    protocol: protocolVersion,
    version: '0.0.0',
    name: 'stranger',
    incarnation: 1n,
    host: 'elsewhere',
    machine: 'elsewhere',
    cpuset: '',
    pid: 1,
  };
  const says = (more: Partial<typeof hello> = {}): AttendRequest => ({
    message: { $case: 'hello', value: { ...hello, ...more } },
  });

  test('an agent of another protocol version is refused, and both versions are named', async () => {
    const error = await answer(cluster.token, says({ protocol: 99 }));
    expect(error.code).toBe('SEEDSTORM_E_PROTOCOL_VERSION');
    expect(error.what).toContain('protocol 99');
    expect(error.what).toContain(`this coordinator speaks ${protocolVersion}`);
    expect(error.mend).toMatch(/same version/u);
  });

  test('nobody comes in without the token', async ({ sandbox }) => {
    expect((await answer('not the token at all', says())).code).toBe('SEEDSTORM_E_UNAUTHENTICATED');
    const wrong = join(sandbox.folder, 'wrong');
    writeFileSync(wrong, 'not the token of this cluster', { mode: 0o600 });
    const flags = ['--coordinator', cluster.address, '--token-file', wrong];
    const another = /another token/u;
    const plan = sandbox.plan(planTo(sandbox.target));
    expectError(await sandbox.run('run', plan, ...flags), 1, 'SEEDSTORM_E_UNAUTHENTICATED', another);
    expectError(await sandbox.run('agent', ...flags), 1, 'SEEDSTORM_E_UNAUTHENTICATED', another);
    sandbox.expectNothingLeft();
  });

  test('an agent whose name is no name, or which speaks out of turn, is refused', async () => {
    expect((await answer(cluster.token, says({ name: '../etc' }))).code).toBe('SEEDSTORM_E_AGENT_REFUSED');
    expect((await answer(cluster.token, says({ name: '' }))).code).toBe('SEEDSTORM_E_AGENT_REFUSED');
    const leaving: AttendRequest = { message: { $case: 'leaving', value: { reason: '' } } };
    expect((await answer(cluster.token, leaving)).code).toBe('SEEDSTORM_E_MESSAGE_INVALID');
    expect((await answer(cluster.token, says(), says())).code).toBe('SEEDSTORM_E_MESSAGE_INVALID');
    expect((await answer(cluster.token, { message: undefined })).code).toBe('SEEDSTORM_E_MESSAGE_INVALID');
  });

  test('garbage on its port does not disturb it', async () => {
    const [host = '', port = ''] = cluster.address.split(':');
    const garbage = Buffer.from(Array.from({ length: 65_536 }, (_, i) => (i * 7919) & 0xff));
    for (const bytes of [garbage, Buffer.from('GET / HTTP/1.1\r\n\r\n'), Buffer.alloc(0)]) {
      await new Promise<void>((resolve) => {
        const socket = connect(Number(port), host, () => socket.end(bytes));
        socket.on('error', () => resolve());
        socket.on('close', () => resolve());
        socket.resume();
      });
    }
  });
});
