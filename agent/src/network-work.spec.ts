import { randomBytes } from 'node:crypto';
import { Engine } from '@seedstorm/native';
import type { PrepareNetwork } from '@seedstorm/proto';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ToCoordinator } from './connection.js';
import { GeneratorMeter } from './generator-meter.js';
import { NetworkWork, type Whereabouts } from './network-work.js';
import { startStage } from './testing.js';

let engines: Engine[];
let works: NetworkWork[];
beforeEach(async () => {
  works = [];
  const topology = { synthetic: 'numanode:1 core:1 pu:1' };
  engines = await Promise.all([1, 2].map(() => Engine.start({ topology, pin: false })));
});
afterEach(async () => {
  for (const work of works) await work.abandon();
  for (const engine of engines) await engine.close();
});

const message: PrepareNetwork = {
  runId: 'run',
  stage: 3,
  blockBytes: 65_536n,
  streams: 1,
  lanes: 0,
  durationNs: 200_000_000n,
  token: randomBytes(32),
  share: { index: 0, of: 1 },
  leaseMs: 10_000,
};
const here: Whereabouts = { coordinator: '127.0.0.1:7070', listenAddress: undefined };
const until = (ready: () => boolean): Promise<boolean> => vi.waitUntil(ready, { interval: 1, timeout: 10_000 });

/** A network stage on agent `i`, prepared, and what it said. */
async function prepared(i: number, whereabouts = here, changes: Partial<PrepareNetwork> = {}) {
  const said: ToCoordinator[] = [];
  const host = {
    name: `agent-${i}`,
    overLoopback: true,
    generator: new GeneratorMeter(),
    say: (each: ToCoordinator) => void said.push(each),
  };
  const work = new NetworkWork({ ...message, ...changes }, host, whereabouts);
  works.push(work);
  const engine = engines[i];
  if (engine === undefined) throw new Error('no engine');
  await work.prepare(Promise.resolve(engine));
  const heard = <Case extends ToCoordinator['$case']>($case: Case) =>
    said.flatMap((each) => (each.$case === $case ? [each.value] : [])) as Extract<
      ToCoordinator,
      { $case: Case }
    >['value'][];
  return { work, said, heard };
}

const end = { stage: 3, cancel: false, removeRunFolder: false };

describe('a network stage on an agent', () => {
  test('listens where the coordinator is reached from, exchanges, reports, and tells of each peer at the end', async () => {
    const [a, b] = [await prepared(0), await prepared(1)];
    const addresses = [a, b].map(({ heard }) => heard('stagePrepared')[0]?.dataAddress ?? '');
    for (const address of addresses) expect(address).toMatch(/^127\.0\.0\.1:\d+$/u);
    await a.work.connect({ stage: 3, own: 0, peers: [{ number: 1, address: addresses[1] ?? '' }] });
    // Without a host it is the coordinator's, as this agent knows it.
    const port = addresses[0]?.slice(addresses[0].lastIndexOf(':')) ?? '';
    await b.work.connect({ stage: 3, own: 1, peers: [{ number: 0, address: port }] });
    for (const { heard } of [a, b]) {
      expect(heard('peersConnected')).toEqual([{ stage: 3, error: undefined, unreached: [] }]);
    }
    for (const { work } of [a, b]) work.start(startStage());
    await Promise.all([a, b].map(({ work }) => work.end(end)));
    const [ofA, ofB] = [a, b].map(({ heard }) => heard('stageEnded')[0]?.peers[0]);
    expect(ofA?.sentBytes).toBeGreaterThanOrEqual(0n);
    expect([ofA?.sentBytes, ofA?.receivedBytes]).toEqual([ofB?.receivedBytes, ofB?.sentBytes]);
    const report = a.heard('report').at(-1);
    expect(report?.pools.reduce((sum, { bytes }) => sum + bytes, 0n)).toBe(ofA?.sentBytes);
    expect(report?.hostNetwork?.ports.map(({ name }) => name)).toContain('lo');
    expect(a.said.at(-1)?.$case).toBe('stageEnded');
  });

  test('after a break says again what was not acknowledged, and does not connect twice', async () => {
    const { work, said, heard } = await prepared(0, here, { durationNs: 60_000_000_000n });
    await work.connect({ stage: 3, own: 0, peers: [] });
    work.start(startStage());
    await work.end(end);
    const before = [...said];
    said.length = 0;
    work.repeat();
    expect(said).toEqual(before);
    await work.connect({ stage: 3, own: 0, peers: [{ number: 1, address: '127.0.0.1:1' }] });
    expect(heard('peersConnected').at(-1)).toEqual({ stage: 3, error: undefined, unreached: [] });
    work.acknowledged(heard('report').at(-1)?.sequence ?? 0n);
    said.length = 0;
    work.repeat();
    expect(heard('report')).toEqual([]);
  });

  test('listens where it is told to, and says why when it cannot', async () => {
    const own = await prepared(0, { ...here, listenAddress: '127.0.0.9' });
    expect(own.heard('stagePrepared')[0]?.dataAddress).toMatch(/^127\.0\.0\.9:/u);
    const other = await prepared(1, { ...here, listenAddress: '192.0.2.1' });
    expect(other.heard('stagePrepared')).toMatchObject([{ error: { code: 'SEEDSTORM_E_INVALID_ARGUMENT' } }]);
    await other.work.end(end);
    expect(other.heard('stageEnded')).toHaveLength(1);
  });

  test('a stop ends it at once, also before it began', async () => {
    const { work, heard } = await prepared(0, here, { durationNs: 60_000_000_000n });
    await work.end({ ...end, cancel: true });
    expect(heard('stageEnded')).toMatchObject([{ stage: 3, error: undefined, peers: [], strangers: 0n }]);
  });

  test('lanes that are taken away end it with the reason, unasked', async () => {
    const { heard } = await prepared(0);
    await engines[0]?.close();
    await until(() => heard('stageEnded').length > 0);
    expect(heard('stageEnded')).toMatchObject([{ error: { code: 'SEEDSTORM_E_ENGINE_CLOSED' } }]);
  });
});
