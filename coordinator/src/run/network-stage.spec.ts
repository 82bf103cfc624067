/** A real coordinator and real streams; agents that send no bytes and tell what a spec has them tell. */
import type { ConnectPeers, PeerTraffic, RunResult } from '@seedstorm/proto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { counters, report } from '../testing/messages.js';
import type { ScriptedAgent } from '../testing/scripted-agent.js';
import { ScriptedCluster } from '../testing/scripted-cluster.js';

let cluster: ScriptedCluster;
beforeEach(async () => {
  cluster = await ScriptedCluster.start();
});
afterEach(() => cluster.close());

const plan = (network: string): string => `
data: { size: 1MiB }
target: { kind: "null" }
control: { lease: 2s }
stages: [{ network: ${network} }]
`;

/** Gets ready, and gives whom it is told to send to. */
async function listen(agent: ScriptedAgent): Promise<ConnectPeers> {
  const { stage } = await agent.next('prepareNetwork');
  agent.stage = stage;
  const dataAddress = `${agent.name}:1`;
  const unmeasured = { generator: undefined, memoryBytes: 0n };
  agent.say({
    $case: 'stagePrepared',
    value: { stage, error: undefined, notes: [], lanes: 1, dataAddress, ...unmeasured },
  });
  return agent.next('connectPeers');
}

/** Says who could not be reached: nobody, unless it is given. */
function connected({ stage, say }: { stage: number; say: ScriptedAgent['say'] }, ...numbers: number[]): void {
  const unreached = numbers.map((number) => ({ number, why: 'there:1: refused' }));
  say({ $case: 'peersConnected', value: { stage, error: undefined, unreached } });
}

const ready = async (agent: ScriptedAgent): Promise<ConnectPeers> => {
  const told = await listen(agent);
  connected({ stage: agent.stage, say: (message) => agent.say(message) });
  return told;
};

/** Reports so many bytes, each way, to and from one peer, when the end is told. */
async function exchange(agent: ScriptedAgent, number: number, sent: bigint, received: bigint, broken = 0n) {
  const { atAgentNs } = await agent.next('startStage');
  const { stage } = await agent.next('endStage');
  const pools = [counters({ operations: 1n, bytes: sent, receivedBytes: received, errors: broken })];
  const agentNs = process.hrtime.bigint();
  const times = { agentNs, startedNs: atAgentNs, lastDoneNs: agentNs };
  agent.say({ $case: 'report', value: report({ stage, sequence: 1n, pools, ...times }) });
  const why = broken > 0n ? 'it closed before the end' : '';
  const peers: PeerTraffic[] = [{ number, sentBytes: sent, receivedBytes: received, broken, why }];
  const ended = {
    stage,
    error: undefined,
    closeNs: 0n,
    runFolderRemoved: true,
    fileWork: undefined,
    peers,
    strangers: 1n,
  };
  agent.say({ $case: 'stageEnded', value: ended });
}

const networkOf = (result: RunResult) => result.stages[0]?.network;

describe('a network stage of scripted agents', { timeout: 30_000 }, () => {
  test('each is told where the others listen; the sums are those of what they tell, the slowest pair first', async () => {
    const [a, b] = [cluster.join('a'), cluster.join('b')];
    const { result } = await cluster.submit(plan('{ duration: 200ms, block: 64KiB, streams: 3 }'));
    const [ofA, ofB] = await Promise.all([ready(a), ready(b)]);
    expect([ofA.own, ofA.peers]).toEqual([0, [{ number: 1, address: 'b:1' }]]);
    expect([ofB.own, ofB.peers]).toEqual([1, [{ number: 0, address: 'a:1' }]]);
    const [asked] = a.all('prepareNetwork');
    expect(asked).toMatchObject({ blockBytes: 65_536n, streams: 3, durationNs: 200_000_000n });
    expect(asked?.token).toHaveLength(32);
    expect(asked?.token).toEqual(b.all('prepareNetwork')[0]?.token);
    const began = process.hrtime.bigint();
    await Promise.all([exchange(a, 1, 1000n, 400n), exchange(b, 0, 400n, 1000n)]);
    expect(process.hrtime.bigint() - began).toBeGreaterThan(200_000_000n);
    expect(a.all('endStage')).toMatchObject([{ cancel: false }]);
    const ended = await result;
    expect(ended).toMatchObject({ outcome: 'passed', notes: [] });
    expect(ended.stages[0]).toMatchObject({ name: 'network', complete: true, bytes: 1400n, unitsDone: 0n });
    expect(networkOf(ended)).toMatchObject({
      pattern: 'all-to-all',
      sentBytes: 1400n,
      receivedBytes: 1400n,
      pairCount: 2n,
      strangers: 2n,
      pairs: [
        { from: 'b', to: 'a', bytes: 400n },
        { from: 'a', to: 'b', bytes: 1000n },
      ],
    });
    const stage = ended.stages[0];
    const seconds = Number(stage?.durationNs) / 1e9;
    expect(stage?.agents.map((agent) => Math.round(agent.sentBytesPerSecond * seconds))).toEqual([1000, 400]);
    expect(stage?.agents.map((agent) => Math.round(agent.receivedBytesPerSecond * seconds))).toEqual([400, 1000]);
  });

  test('nobody starts before all are connected, and a pair that cannot connect fails the stage by both names', async () => {
    const [a, b] = [cluster.join('a'), cluster.join('b')];
    const { result } = await cluster.submit(plan('{ duration: 10m }'));
    await Promise.all([ready(a), listen(b)]);
    expect([...a.all('startStage'), ...b.all('startStage')]).toEqual([]);
    connected({ stage: b.stage, say: (message) => b.say(message) }, 0);
    await Promise.all([a.end(), b.end()]);
    expect(await result).toMatchObject({
      outcome: 'failed',
      error: { code: 'SEEDSTORM_E_NETWORK', what: 'agent b cannot reach a at there:1: refused' },
    });
    expect([...a.all('startStage'), ...b.all('startStage')]).toEqual([]);
    expect(a.all('endStage')).toMatchObject([{ cancel: true }]);
  });

  test('who dies before the start is nobody’s fault: the others begin without it', async () => {
    const [a, b, c] = [cluster.join('a'), cluster.join('b'), cluster.join('c')];
    const { result, events } = await cluster.submit(plan('{ duration: 100ms }'), 3);
    await Promise.all([ready(a), listen(b), listen(c)]);
    await cluster.declareGone('c');
    connected({ stage: b.stage, say: (message) => b.say(message) }, 2);
    await Promise.all([exchange(a, 1, 7n, 5n), exchange(b, 0, 5n, 7n)]);
    const ended = await result;
    expect(ended).toMatchObject({ outcome: 'passed', agentsLost: 1 });
    expect(networkOf(ended)).toMatchObject({ sentBytes: 12n, receivedBytes: 12n });
    expect(events.find(({ kind }) => kind === 'stage-started')?.text).toMatch(/2 agents/u);
  });

  test('who dies in mid-stage is named, counts up to its last report, and the stage ends in time', async () => {
    const [a, b] = [cluster.join('a'), cluster.join('b')];
    const { result } = await cluster.submit(plan('{ duration: 500ms }'));
    await Promise.all([ready(a), ready(b)]);
    const { stage } = await b.next('startStage');
    const agentNs = process.hrtime.bigint();
    const pools = [counters({ bytes: 30n, receivedBytes: 20n })];
    b.say({ $case: 'report', value: report({ stage, sequence: 1n, agentNs, pools }) });
    await b.next('reportAck');
    await cluster.declareGone('b');
    await exchange(a, 1, 25n, 30n, 1n);
    const ended = await result;
    expect(ended).toMatchObject({ outcome: 'passed', agentsLost: 1 });
    expect(ended.stages[0]).toMatchObject({ complete: true, errors: 1n });
    expect(ended.stages[0]?.agents.map(({ name, state }) => [name, state])).toEqual([
      ['a', 'present'],
      ['b', 'lost'],
    ]);
    // What b received of a it can tell nobody any more: that it was sent is all that is known.
    expect(networkOf(ended)?.pairs.map(({ from, to, bytes, broken }) => [from, to, bytes, broken])).toEqual([
      ['a', 'b', 25n, 1n],
      ['b', 'a', 30n, 1n],
    ]);
    expect(ended.notes).toEqual([
      'b was lost in the network stage: it counts up to its last report',
      '1 connections of a with b broke: it closed before the end',
    ]);
  });

  test('when all are lost the stage fails, and does not wait for its time', async () => {
    const a = cluster.join('a');
    const { result } = await cluster.submit(plan('{ duration: 10m, pattern: coordinator, direction: one-way }'), 1);
    const told = await ready(a);
    expect(told.peers).toEqual([{ number: 1, address: expect.stringMatching(/^:\d+$/u) }]);
    await a.next('startStage');
    await cluster.declareGone('a');
    expect(await result).toMatchObject({ outcome: 'failed', error: { code: 'SEEDSTORM_E_AGENT_LOST' } });
  });

  test('who comes in mid-stage has no part in it', async () => {
    const [a, b] = [cluster.join('a'), cluster.join('b')];
    const { result } = await cluster.submit(plan('{ duration: 600ms }'));
    await Promise.all([ready(a), ready(b)]);
    await a.next('startStage');
    const c = cluster.join('c');
    await c.next('welcome');
    for (const agent of [a, b]) void agent.end();
    await result;
    expect(c.all('prepareNetwork')).toEqual([]);
  });
});
