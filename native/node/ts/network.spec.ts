import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Engine } from './engine.js';
import { Network, type NetworkSpec } from './network.js';
import { monotonicNs } from './task.js';
import { outcome, twoNodes } from './testing.js';

let engines: Engine[];
beforeAll(async () => {
  engines = await Promise.all([Engine.start(twoNodes), Engine.start(twoNodes)]);
});
afterAll(() => Promise.all(engines.map((engine) => engine.close())));

const token = randomBytes(32);
const spec: NetworkSpec = { blockBytes: 65_536, streams: 1, durationNs: 2e8, token, listenAddress: '127.0.0.1' };
const listen = (changes: Partial<NetworkSpec> = {}) =>
  Promise.all(engines.map((engine) => Network.listen(engine, { ...spec, ...changes })));

describe('traffic between two engines', () => {
  test('what the one sends, the other receives, counted by pool and by peer', async () => {
    const [a, b] = await listen();
    if (a === undefined || b === undefined) throw new Error('two engines');
    expect(await a.connect(0, [{ peer: 1, address: b.address }])).toEqual([]);
    expect(await b.connect(1, [{ peer: 0, address: a.address }])).toEqual([]);
    const begin = monotonicNs() + 10_000_000n;
    for (const network of [a, b]) network.beginAt(begin);
    await Promise.all([a.ended(), b.ended()]);
    const [of, to] = await Promise.all([a.snapshot(), b.snapshot()]);
    const sum = ({ pools }: typeof of, counter: 'bytes' | 'receivedBytes'): number =>
      pools.reduce((total, pool) => total + pool[counter], 0);
    expect(sum(of, 'bytes')).toBeGreaterThan(0);
    expect(sum(of, 'bytes')).toBe(sum(to, 'receivedBytes'));
    expect(sum(to, 'bytes')).toBe(sum(of, 'receivedBytes'));
    expect(of.pools.map(({ numaNode }) => numaNode)).toEqual([0, 1]);
    expect(of.peers).toEqual([
      { peer: 1, sentBytes: sum(of, 'bytes'), receivedBytes: sum(of, 'receivedBytes'), broken: 0 },
    ]);
    expect(of.startedNs).toBeGreaterThanOrEqual(begin);
    expect(of.lastDoneNs).toBeGreaterThan(of.startedNs);
  });

  test('who cannot be reached is told, and an end before the time rejects', async () => {
    const [a, b] = await listen({ durationNs: 6e10 });
    if (a === undefined || b === undefined) throw new Error('two engines');
    const address = b.address;
    b.cancel();
    expect(await outcome(b.ended())).toBe('SEEDSTORM_E_CANCELLED');
    const unreached = await a.connect(0, [{ peer: 1, address }]);
    expect(unreached).toMatchObject([{ peer: 1, why: expect.stringContaining(address) }]);
    const ended = outcome(a.ended());
    a.cancel();
    a.cancel();
    expect(await ended).toBe('SEEDSTORM_E_CANCELLED');
  });

  test.each<[string, Partial<NetworkSpec>, RegExp]>([
    ['a token that is too short', { token: randomBytes(31) }, /has not 32 bytes/u],
    ['an address that is none', { listenAddress: 'here' }, /no IP address/u],
    ['an address of another host', { listenAddress: '192.0.2.1' }, /no address of this host/u],
    ['no block', { blockBytes: 0 }, /block of 0 bytes/u],
    ['no stream', { streams: 0 }, /0 streams/u],
    ['half a stream', { streams: 0.5 }, /streams/u],
  ])('%s is refused', async (_, changes, what) => {
    const [engine] = engines;
    if (engine === undefined) throw new Error('an engine');
    await expect(Network.listen(engine, { ...spec, ...changes })).rejects.toMatchObject({
      code: 'SEEDSTORM_E_INVALID_ARGUMENT',
      what: expect.stringMatching(what),
    });
  });
});
