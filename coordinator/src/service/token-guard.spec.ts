/** A real server and a real client: what the guard stands before is what it must keep closed. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, type Metadata, Metadata as NoMetadata, type ServiceError, status } from '@grpc/grpc-js';
import {
  AgentServiceClient,
  AgentServiceService,
  clientChannelOptions,
  fromStatus,
  insecureCredentials,
  OperatorServiceClient,
  OperatorServiceService,
  tokenMetadata,
} from '@seedstorm/proto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Coordinator } from '../coordinator.js';
import { hello } from '../testing/messages.js';

let coordinator: Coordinator;
const log: string[] = [];
beforeAll(async () => {
  coordinator = await Coordinator.start({
    listen: '127.0.0.1:0',
    token: 'the right one',
    version: '0.1.0',
    // No run is let in, so there is nothing to record.
    dataFolder: join(tmpdir(), 'seedstorm-never-made'),
    log: (line) => void log.push(line),
  });
});
afterAll(() => coordinator.close());

const wrong: [string, Metadata][] = [
  ['no token', new NoMetadata()],
  ['another token', tokenMetadata('the wrong one')],
  ['an empty token', tokenMetadata('')],
  ['the beginning of the token', tokenMetadata('the right')],
  ['a longer token', tokenMetadata('the right one!')],
  ['the token without its kind', withHeader('the right one')],
  ['the token of another kind', withHeader('Basic the right one')],
];

function withHeader(value: string): Metadata {
  const metadata = new NoMetadata();
  metadata.set('authorization', value);
  return metadata;
}

/** Calls a method by its path with an empty message, and gives the status. */
async function call(path: string, metadata: Metadata): Promise<ServiceError | 'answered'> {
  const client = new Client(coordinator.address, insecureCredentials, clientChannelOptions);
  try {
    return await new Promise((resolve) => {
      const bytes = (value: Buffer): Buffer => value;
      client.makeUnaryRequest(path, bytes, bytes, Buffer.alloc(0), metadata, (error) => resolve(error ?? 'answered'));
    });
  } finally {
    client.close();
  }
}

const methods = [...Object.values(OperatorServiceService), ...Object.values(AgentServiceService)].map(
  ({ path }) => path,
);

describe('the token', () => {
  test.each(wrong)('with %s no method answers', async (_, metadata) => {
    expect(methods.length).toBeGreaterThan(6);
    for (const path of methods) {
      const answer = await call(path, metadata);
      if (answer === 'answered') throw new Error(`${path} answered`);
      expect(answer.code, path).toBe(status.UNAUTHENTICATED);
      expect(fromStatus(answer, '').code).toBe('SEEDSTORM_E_UNAUTHENTICATED');
      expect(answer.details).not.toContain('the right one');
    }
  });

  test('with the right one operators are answered', async () => {
    const client = new OperatorServiceClient(coordinator.address, insecureCredentials, clientChannelOptions);
    const runs = await new Promise((resolve, reject) => {
      client.listRuns({}, tokenMetadata('the right one'), (error, answer) =>
        error === null ? resolve(answer.runs) : reject(error),
      );
    });
    expect(runs).toEqual([]);
    client.close();
  });

  test.each(wrong)('with %s an agent does not join, whatever it says first', async (_, metadata) => {
    const client = new AgentServiceClient(coordinator.address, insecureCredentials, clientChannelOptions);
    const stream = client.attend(metadata);
    const answers: unknown[] = [];
    stream.on('data', (answer) => answers.push(answer));
    const refused = new Promise<ServiceError>((resolve) => stream.on('error', resolve));
    stream.write({ message: { $case: 'hello', value: hello({ name: 'intruder' }) } });
    expect((await refused).code).toBe(status.UNAUTHENTICATED);
    client.close();
    expect(answers).toEqual([]);
    expect(log.join('\n')).not.toContain('intruder');
  });

  test('with the right one an agent is welcomed', async () => {
    const client = new AgentServiceClient(coordinator.address, insecureCredentials, clientChannelOptions);
    const stream = client.attend(tokenMetadata('the right one'));
    stream.on('error', () => {});
    const first = new Promise((resolve) => stream.on('data', resolve));
    stream.write({ message: { $case: 'hello', value: hello({ name: 'friend' }) } });
    expect(await first).toMatchObject({ message: { $case: 'welcome' } });
    stream.cancel();
    client.close();
  });

  test.each(wrong)('with %s a method that does not exist is refused like all others', async (_, metadata) => {
    for (const path of ['/seedstorm.v1.OperatorService/Nothing', '/seedstorm.v2.AgentService/Attend', '/']) {
      const answer = await call(path, metadata);
      if (answer === 'answered') throw new Error(`${path} answered`);
      expect([status.UNAUTHENTICATED, status.UNIMPLEMENTED]).toContain(answer.code);
    }
  });
});
