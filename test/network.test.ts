/** What the network alone carries: between agents on this machine, and between two hosts whose link is slowed down. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { describe, expect } from 'vitest';
import { Cluster } from './support/cluster.js';
import { expectError } from './support/errors.js';
import { eventsOf, type StageLine, stageOf } from './support/messages.js';
import { TwoHosts, whyNoHosts } from './support/network-hosts.js';
import { signal } from './support/processes.js';
import { test } from './support/test.js';

/** A plan of one network stage. */
const alone = (network: string, control = '{}'): string =>
  `{ data: { size: 1MiB }, target: { kind: "null" }, control: ${control}, stages: [{ network: ${network} }] }`;

function trafficOf(stage: StageLine): NonNullable<StageLine['network']> {
  if (stage.network === undefined) throw new Error('no network stage');
  return stage.network;
}

/** What each sent is what the others received, by pair and in all. */
function expectWhole(stage: StageLine): void {
  const { sentBytes, receivedBytes, pairs, strangers } = trafficOf(stage);
  expect(stage).toMatchObject({ complete: true, errors: 0, bytes: receivedBytes });
  expect(receivedBytes).toBeGreaterThan(0);
  expect(sentBytes).toBe(receivedBytes);
  expect(pairs.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(receivedBytes);
  for (const pair of pairs) expect(pair, JSON.stringify(pair)).toMatchObject({ broken: 0, why: '' });
  expect(strangers).toBe(0);
  const seconds = stage.durationNs / 1e9;
  expect(stage.network?.lastDoneNs).toBeLessThanOrEqual(stage.durationNs);
  expect(stage.bytesPerSecond * seconds).toBeCloseTo(receivedBytes, -1);
  const received = stage.agents.reduce((sum, agent) => sum + agent.receivedBytesPerSecond, 0);
  expect(received).toBeCloseTo(stage.bytesPerSecond, -2);
}

describe('a network stage on this machine', () => {
  test('stands among stages over data, and tells what each agent sent and received', async ({ sandbox }) => {
    const plan = sandbox.plan(`
data: { size: 8MiB }
target: { kind: file, path: ${sandbox.target} }
stages:
  - network: { duration: 1s }
  - write: {}
  - network: { duration: 500ms, pattern: pairs, block: 64KiB, streams: 2 }
  - verify: {}
  - network: { duration: 500ms, pattern: coordinator, direction: one-way }
  - delete: {}
`);
    const { code, result, stderr } = await sandbox.run('run', plan, '--agents', '3', '--json');
    expect(code, stderr).toBe(0);
    expect(result).toMatchObject({ outcome: 'passed', notes: expect.any(Array), leftBehind: [] });
    const [all, pairs, coordinator] = result.stages.filter(({ name }) => name === 'network');
    if (all === undefined || pairs === undefined || coordinator === undefined) throw new Error('a stage is missing');
    for (const stage of [all, pairs, coordinator]) expectWhole(stage);
    expect(all.durationNs / 1e9).toBeGreaterThan(0.9);
    expect(all.durationNs / 1e9).toBeLessThan(2);
    expect(trafficOf(all)).toMatchObject({ pattern: 'all-to-all', pairCount: 6 });
    expect(all.latency?.count).toBe(
      all.agents.reduce(
        (sum, { pools }) => sum + pools.reduce((n, pool) => n + (pool.counters?.operations ?? 0), 0),
        0,
      ),
    );
    // Three agents: one pair and an odd one make a ring.
    expect(trafficOf(pairs)).toMatchObject({ pattern: 'pairs', pairCount: 3 });
    for (const list of [trafficOf(pairs).pairs.map(({ from }) => from), trafficOf(pairs).pairs.map(({ to }) => to)])
      expect(list.sort()).toEqual(['agent-1', 'agent-2', 'agent-3']);
    const rows = coordinator.agents.map((agent) => [agent.name, agent.sentBytesPerSecond > 0]);
    expect(rows).toEqual([
      ['agent-1', true],
      ['agent-2', true],
      ['agent-3', true],
      ['coordinator', false],
    ]);
    // Loopback is what is used here, so it is what counts.
    const [lo] = (all.agents[0]?.ports ?? []).filter(({ name }) => name === 'lo');
    expect(lo?.receivedBytesPerSecond).toBeGreaterThan(all.bytesPerSecond * 0.8);
    for (const { name, agents } of result.stages) expect(agents[0]?.ports, name).toBeDefined();
    sandbox.expectNothingLeft();
  });

  test('of a single agent it goes to the coordinator’s host, and a person is shown a table', async ({ sandbox }) => {
    const { code, stdout, stderr } = await sandbox.run('run', sandbox.plan(alone('{ duration: 300ms }')));
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/coordinator +│ all/u);
    expect(stdout).toMatch(/received GB\/s/u);
    expect(stdout).toMatch(/slowest of 2 pairs: .+ → .+ GB\/s/u);
    expect(stderr).toMatch(/network: 1 agents start together/u);
  });

  test('strangers who connect to an agent’s port are dropped, and counted', async ({ sandbox }) => {
    const run = sandbox.start('run', sandbox.plan(alone('{ duration: 2s }')), '--agents', '2', '--json');
    await run.event('stage-started');
    const port = portOf(sandbox.agent('agent-1').pid);
    const dropped = new Promise<number>((resolve, reject) => {
      const socket = connect(port, '127.0.0.1');
      let heard = 0;
      socket.on('data', (bytes) => {
        heard += bytes.length;
      });
      socket.on('close', () => resolve(heard));
      socket.on('error', reject);
      socket.write(Buffer.alloc(36, 7));
    });
    expect(await dropped, 'bytes that a stranger was told').toBe(0);
    const { code, result } = await run.ended;
    expect(code).toBe(0);
    const { sentBytes, receivedBytes, strangers } = trafficOf(stageOf(result, 'network'));
    expect(strangers).toBe(1);
    expect(sentBytes).toBe(receivedBytes);
  });

  test.for([
    { who: 'an agent that this command started', remote: false },
    { who: 'an agent of whose death nobody tells', remote: true },
  ])('$who, killed in mid-stage, is named, and the rest counts in time', async ({ remote }, { sandbox }) => {
    const plan = sandbox.plan(alone('{ duration: 4s }', '{ lease: 2s }'));
    const cluster = remote ? await Cluster.start(sandbox, 3) : undefined;
    const run = cluster?.start(plan, '--json') ?? sandbox.start('run', plan, '--agents', '3', '--json');
    await run.progress('network', ({ bytesPerSecond }) => bytesPerSecond > 0, 'traffic');
    signal(cluster?.agent('agent-2').pid ?? sandbox.agent('agent-2').pid, 'SIGKILL');
    const { code, result, stderr, seconds } = await run.ended;
    expect(code, stderr).toBe(0);
    expect(seconds).toBeLessThan(30);
    expect(result).toMatchObject({ outcome: 'passed', agentsSeen: 3, agentsLost: 1 });
    const stage = stageOf(result, 'network');
    expect(stage.durationNs / 1e9).toBeGreaterThan(3.8);
    expect(stage.durationNs / 1e9).toBeLessThan(8);
    expect(stage.complete).toBe(true);
    expect(stage.errors).toBeGreaterThan(0);
    expect(stage.agents.map(({ name, state }) => [name, state])).toEqual([
      ['agent-1', 'present'],
      ['agent-2', 'lost'],
      ['agent-3', 'present'],
    ]);
    expect(result.notes).toContainEqual(expect.stringMatching(/^agent-2 was lost in the network stage/u));
    expect(result.notes).toContainEqual(expect.stringMatching(/connections of agent-1 with agent-2 broke: /u));
    // Between those that live nothing broke, and all arrived.
    const { pairs } = trafficOf(stage);
    const living = pairs.filter(({ from, to }) => from !== 'agent-2' && to !== 'agent-2');
    expect(living).toHaveLength(2);
    for (const pair of living) expect(pair).toMatchObject({ broken: 0 });
    for (const { bytes } of living) expect(bytes).toBeGreaterThan(0);
    expect(eventsOf(run.lines, 'agent-lost')).toMatchObject([{ text: expect.stringContaining('agent-2') }]);
    await cluster?.stop();
  });

  test('an agent that hangs in mid-stage holds nobody up for long, and the next stage has it back', async ({
    sandbox,
  }) => {
    const stages = '[{ network: { duration: 3s } }, { generate: { delay: 3s } }]';
    const run = sandbox.start(
      'run',
      sandbox.plan(`{ data: { size: 64MiB }, target: { kind: "null" }, control: { lease: 1h }, stages: ${stages} }`),
      '--agents',
      '3',
      '--json',
    );
    await run.progress('network', ({ bytesPerSecond }) => bytesPerSecond > 0, 'traffic');
    const { pid } = sandbox.agent('agent-2');
    signal(pid, 'SIGSTOP');
    expect((await run.event('agent-hung', 'network')).text).toContain('agent-2');
    signal(pid, 'SIGCONT');
    const { code, result, stderr } = await run.ended;
    expect(code, stderr).toBe(0);
    const stage = stageOf(result, 'network');
    expect(stage).toMatchObject({ complete: true });
    expect(stage.durationNs / 1e9).toBeLessThan(15);
    expect(result.notes).toContainEqual(expect.stringMatching(/^agent-2 was lost in the network stage/u));
    expect(result.notes).toContainEqual(expect.stringMatching(/with agent-2 broke: it neither sent nor closed/u));
    expect(stageOf(result, 'generate').agents.map(({ name }) => name)).toEqual(['agent-1', 'agent-2', 'agent-3']);
  });

  test('Ctrl-C ends it at once, and gracefully', async ({ sandbox }) => {
    const run = sandbox.start('run', sandbox.plan(alone('{ duration: 10m }')), '--agents', '2', '--json');
    await run.progress('network', ({ bytesPerSecond }) => bytesPerSecond > 0, 'traffic');
    run.signal('SIGINT');
    const { code, result, seconds } = await run.ended;
    expect(code).toBe(130);
    expect(seconds).toBeLessThan(20);
    expect(result).toMatchObject({ outcome: 'cancelled', notes: expect.any(Array), stages: [{ complete: false }] });
    sandbox.expectNothingLeft();
  });

  test.for([
    ['{ pattern: ring }', /“ring” is not one of/u],
    ['{ duration: 0s }', /out of range/u],
    ['{ streams: 0 }', /streams/u],
    ['{ block: 1GiB }', /out of range/u],
    ['{ direction: one-way }', /all-to-all is both ways/u],
    ['{ paterns: pairs }', /unknown key/u],
  ] as const)('a plan that says network: %s is refused with line and mend', async ([network, what], { sandbox }) => {
    expectError(await sandbox.run('run', sandbox.plan(alone(network))), 2, 'SEEDSTORM_E_PLAN_\\w+', what);
  });

  test('pairs of a single agent are refused with what to do', async ({ sandbox }) => {
    const ended = await sandbox.run('run', sandbox.plan(alone('{ pattern: pairs }')), '--json');
    expectError(ended, 1, 'SEEDSTORM_E_NO_AGENTS', /needs two agents/u);
  });
});

const noHosts = whyNoHosts();

describe('a network stage between two hosts with a link of 200 Mbit/s', () => {
  const bytesPerSecond = 200e6 / 8;

  test.skipIf(noHosts !== undefined)(
    `measures what the link carries, each way, and survives its cut${noHosts === undefined ? '' : ` (skipped: needs ${noHosts})`}`,
    async ({ sandbox }) => {
      using hosts = new TwoHosts('200mbit');
      const tokenFile = `${sandbox.folder}/token`;
      const flags = ['--token-file', tokenFile];
      const listen = ['--listen', `${hosts.addresses[0]}:0`, '--insecure'];
      const coordinator = sandbox.startIn(hosts.names[0], 'coordinator', ...listen, ...flags);
      const [, address = ''] = await coordinator.said(/Z listening on (\S+)/u);
      const to = ['--coordinator', address, ...flags];
      const agents = hosts.names.map((host, i) => sandbox.startIn(host, 'agent', '--name', `agent-${i + 1}`, ...to));
      await Promise.all(agents.map((agent) => agent.said(/joined the coordinator/u)));
      const plan = sandbox.plan(`
data: { size: 1MiB }
target: { kind: "null" }
agents: { minimum: 2 }
stages: [{ network: { duration: 6s } }, { network: { duration: 6s, pattern: pairs, direction: one-way } }]
`);
      const { code, result, stderr } = await sandbox.startIn(hosts.names[0], 'run', plan, ...to, '--json').ended;
      expect(code, stderr).toBe(0);
      const [both, oneWay] = result.stages;
      if (both === undefined || oneWay === undefined) throw new Error('a stage is missing');
      for (const stage of [both, oneWay]) expectWhole(stage);
      const [pair] = trafficOf(oneWay).pairs;
      expect(pair?.bytesPerSecond).toBeGreaterThan(bytesPerSecond * 0.9);
      expect(pair?.bytesPerSecond).toBeLessThan(bytesPerSecond * 1.1);
      // Both ways, each carries the acknowledgements of the other too.
      for (const each of trafficOf(both).pairs) {
        expect(each.bytesPerSecond, `${each.from} → ${each.to}`).toBeGreaterThan(bytesPerSecond * 0.8);
        expect(each.bytesPerSecond, `${each.from} → ${each.to}`).toBeLessThan(bytesPerSecond * 1.1);
      }
      expect(trafficOf(both).pairs).toHaveLength(2);
      // The port's own counters, headers included, say the same; loopback is not used and is not told of.
      const ports = oneWay.agents[0]?.ports ?? [];
      expect(ports.map(({ name, kind }) => [name, kind])).toEqual([[hosts.port, 'nic']]);
      expect(ports[0]?.sentBytesPerSecond).toBeGreaterThan(bytesPerSecond * 0.9);
      expect(ports[0]?.sentBytesPerSecond).toBeLessThan(bytesPerSecond * 1.15);

      // A cable that is cut in mid-stage: nobody resets a connection, and the stage still ends in time, at the rate that it
      // had over all of it.
      const cut = sandbox.plan(alone('{ duration: 6s }', '{ lease: 2s }'));
      const more = [...to, '--agents', '2', '--json'];
      const run = sandbox.startIn(hosts.names[0], 'run', cut, ...more);
      await run.progress('network', (progress) => progress.bytesPerSecond > 0, 'traffic');
      hosts.cut();
      const after = await run.ended;
      expect(after.code, after.stderr).toBe(0);
      expect(after.seconds).toBeLessThan(40);
      const stage = stageOf(after.result, 'network');
      expect(stage.durationNs / 1e9).toBeGreaterThanOrEqual(6);
      expect(stage.bytesPerSecond).toBeLessThan(2 * bytesPerSecond * 0.8);
      expect(after.result.notes).toContainEqual(expect.stringMatching(/^agent-2 was lost in the network stage/u));
      expect(after.result.notes).toContainEqual(expect.stringMatching(/agent-1 with agent-2 broke: it neither sent/u));
    },
  );
});

/** The port that a process listens on, as the kernel tells. */
function portOf(pid: number): number {
  const inodes = new Set(
    execFileSync('ls', ['-l', `/proc/${pid}/fd`], { encoding: 'utf8' }).match(/(?<=socket:\[)\d+/gu) ?? [],
  );
  const listening = '0A';
  for (const line of readFileSync(`/proc/${pid}/net/tcp`, 'utf8').split('\n').slice(1)) {
    const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/u);
    if (state === listening && inodes.has(inode)) return Number.parseInt(local.split(':')[1] ?? '', 16);
  }
  throw new Error(`process ${pid} listens on no port`);
}
