import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { SeedstormError } from '@seedstorm/errors';
import {
  AgentServiceService,
  type AttendRequest,
  type AttendResponse,
  channelOptions,
  type Hello,
  tokenOf,
  toStatus,
} from '@seedstorm/proto';
import { afterEach, describe, expect, test } from 'vitest';
import { Connection, type ConnectionListener, type FromCoordinator } from './connection.js';

type Call = ServerDuplexStream<AttendRequest, AttendResponse>;

const hello: Hello = {
  protocol: 1,
  version: '0.1.0',
  name: 'agent-1',
  incarnation: 5n,
  host: 'host-1',
  machine: 'machine-1',
  cpuset: '0-3',
  pid: 42,
};

const welcome: AttendResponse = { message: { $case: 'welcome', value: { version: '0.1.0', heartbeatMs: 1000 } } };

/** What happened, in order, and a way to await the next of it. */
class Record<T> {
  readonly all: T[] = [];
  #waiting: { count: number; resolve: () => void }[] = [];

  add(one: T): void {
    this.all.push(one);
    this.#waiting = this.#waiting.filter(({ count, resolve }) => {
      if (this.all.length >= count) resolve();
      return this.all.length < count;
    });
  }

  /** Resolves when `count` have come. */
  async until(count: number): Promise<T[]> {
    if (this.all.length < count) await new Promise<void>((resolve) => this.#waiting.push({ count, resolve }));
    return this.all;
  }
}

const open: { close(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

/** A coordinator that does with each stream what `attend` does. */
async function serve(attend: (call: Call) => void, port = 0): Promise<{ address: string; port: number; stop(): void }> {
  const server = new Server(channelOptions);
  server.addService(AgentServiceService, { attend });
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, got) =>
      error === null ? resolve(got) : reject(error),
    );
  });
  const stop = (): void => server.forceShutdown();
  open.push({ close: stop });
  return { address: `127.0.0.1:${bound}`, port: bound, stop };
}

/** An agent's end of the connection, and what it is told. */
function dial(address: string, joinTimeoutMs = 10_000, welcomed: () => void = () => {}) {
  const events = new Record<string>();
  const messages = new Record<FromCoordinator>();
  const listener: ConnectionListener = {
    welcomed: (heartbeatMs) => {
      welcomed();
      events.add(`welcomed ${heartbeatMs}`);
    },
    said: (message) => messages.add(message),
    broken: ({ code }) => events.add(`broken ${code}`),
    failed: ({ code }) => events.add(`failed ${code}`),
  };
  const connection = new Connection({ address, token: 'secret', hello, joinTimeoutMs }, listener);
  open.push(connection);
  connection.open();
  return { connection, events, messages };
}

const unreachable = 'SEEDSTORM_E_COORDINATOR_UNREACHABLE';

describe('an agent’s connection', () => {
  test('introduces itself with its token, and passes on what each side says', async () => {
    const received = new Record<AttendRequest>();
    const tokens: (string | undefined)[] = [];
    const { address } = await serve((call) => {
      tokens.push(tokenOf(call.metadata));
      call.on('data', (message: AttendRequest) => {
        if (message.message?.$case === 'hello') call.write(welcome);
        received.add(message);
      });
      call.write({ message: { $case: 'clockProbe', value: { id: 1n } } });
    });
    const { connection, events, messages } = dial(address);
    expect(await events.until(1)).toEqual(['welcomed 1000']);
    expect(connection.send({ $case: 'heartbeat', value: { sentNs: 7n } })).toBe(true);
    expect(await received.until(2)).toEqual([
      { message: { $case: 'hello', value: hello } },
      { message: { $case: 'heartbeat', value: { sentNs: 7n } } },
    ]);
    expect(tokens).toEqual(['secret']);
    expect(await messages.until(1)).toEqual([{ $case: 'clockProbe', value: { id: 1n } }]);
  });

  test('says nothing before it is welcomed again: a report would overtake those that must be repeated first', async () => {
    const received = new Record<string>();
    let calls = 0;
    const { address } = await serve((call) => {
      calls += 1;
      const isSecond = calls === 2;
      call.on('data', ({ message }: AttendRequest) => {
        received.add(`${calls} ${message?.$case}`);
        if (message?.$case !== 'hello') return;
        if (!isSecond) {
          call.write(welcome);
          call.end();
          return;
        }
        expect(agent.connection.send({ $case: 'heartbeat', value: { sentNs: 2n } })).toBe(false);
        call.write(welcome);
      });
    });
    const agent = dial(address, 10_000, () => {
      agent.connection.send({ $case: 'heartbeat', value: { sentNs: 1n } });
    });
    await agent.events.until(3);
    expect(agent.events.all).toEqual(['welcomed 1000', `broken ${unreachable}`, 'welcomed 1000']);
    await received.until(3);
    expect(received.all.filter((one) => one.startsWith('2'))).toEqual(['2 hello', '2 heartbeat']);
  });

  test('goes on dialling until the coordinator is there', async () => {
    const first = await serve(() => {});
    first.stop();
    const { events } = dial(first.address);
    await events.until(2);
    expect(new Set(events.all)).toEqual(new Set([`broken ${unreachable}`]));
    await serve((call) => call.on('data', () => call.write(welcome)), first.port);
    let seen = events.all.length;
    while (!events.all.includes('welcomed 1000')) seen = (await events.until(seen + 1)).length;
    expect(events.all.at(-1)).toBe('welcomed 1000');
  });

  test('comes back after the coordinator fell over', async () => {
    const attend = (call: Call): void => void call.on('data', () => call.write(welcome));
    const first = await serve(attend);
    const { events } = dial(first.address);
    await events.until(1);
    first.stop();
    await events.until(2);
    await serve(attend, first.port);
    let seen = events.all.length;
    while (events.all.at(-1) !== 'welcomed 1000') seen = (await events.until(seen + 1)).length;
    expect(events.all[1]).toBe(`broken ${unreachable}`);
  });

  test('gives up when nobody has answered in the time to join', async () => {
    const gone = await serve(() => {});
    gone.stop();
    const { events } = dial(gone.address, 1);
    let seen = 0;
    while (!events.all.some((event) => event.startsWith('failed'))) seen = (await events.until(seen + 1)).length;
    expect(events.all.at(-1)).toBe(`failed ${unreachable}`);
  });

  test.each(['UNAUTHENTICATED', 'PROTOCOL_VERSION', 'AGENT_REFUSED', 'LIMIT', 'MESSAGE_INVALID'] as const)(
    'does not dial again when the coordinator said no: %s',
    async (name) => {
      const code = `SEEDSTORM_E_${name}` as const;
      let calls = 0;
      const { address } = await serve((call) => {
        calls += 1;
        call.on('data', () => call.emit('error', toStatus(new SeedstormError({ code, what: 'no' }))));
      });
      const { events, connection } = dial(address);
      expect(await events.until(1)).toEqual([`failed ${code}`]);
      expect(connection.send({ $case: 'heartbeat', value: { sentNs: 1n } })).toBe(false);
      expect(calls).toBe(1);
    },
  );

  test('what answers without knowing the protocol is told from a coordinator that is not there', async () => {
    const server = new Server();
    const port = await new Promise<number>((resolve) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_, bound) => resolve(bound));
    });
    open.push({ close: () => server.forceShutdown() });
    const { events } = dial(`127.0.0.1:${port}`);
    expect(await events.until(1)).toEqual(['failed SEEDSTORM_E_PROTOCOL_VERSION']);
  });

  test('once closed it is silent, whatever the coordinator does', async () => {
    const ended = new Record<string>();
    const { address, stop } = await serve((call) => {
      call.on('data', () => call.write(welcome));
      call.on('end', () => {
        call.end();
        ended.add('ended');
      });
    });
    const { connection, events } = dial(address);
    await events.until(1);
    connection.close();
    connection.close();
    expect(connection.send({ $case: 'heartbeat', value: { sentNs: 1n } })).toBe(false);
    await ended.until(1);
    stop();
    expect(events.all).toEqual(['welcomed 1000']);
  });
});
