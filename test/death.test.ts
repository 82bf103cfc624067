/** Agents that die, hang, leave or come late in mid-run: the run goes on, and every unit is accounted for once. */
import { describe, expect, test } from 'vitest';
import { Cluster } from './support/cluster.js';
import type { Ended } from './support/command.js';
import { eventsOf, type ProgressLine, type StageLine, stageOf } from './support/messages.js';
import { signal } from './support/processes.js';
import { Sandbox } from './support/sandbox.js';

const unitBytes = 256 * 1024;
const units = 1536;

/** Small blocks and few lanes: slow on any storage, so that an agent can be met in mid-work. */
function slowPlan(target: string, control = 'lease: 10s'): string {
  return `
data: { size: 384MiB, unit: 256KiB }
target: { kind: file, path: ${target}, files: { count: 192 }, io: { block: 16KiB } }
load: { lanesPerAgent: 1, queueDepth: 1 }
control: { ${control} }
stages: [{ write: {} }, { verify: {} }, { delete: {} }]
`;
}

/** The run passed, and what was done twice counts once, in units and in throughput. */
function expectPassed({ code, stderr, stdout, result }: Ended): void {
  expect(code, stdout.slice(-3000) + stderr).toBe(0);
  expect(result).toMatchObject({ outcome: 'passed', findings: [], leftBehind: [] });
  expect(result.error).toBeUndefined();
  expect(result.stages.map(({ name }) => name)).toEqual(['write', 'verify', 'delete']);
  for (const stage of result.stages) {
    expect(stage, stage.name).toMatchObject({
      complete: true,
      units,
      unitsDone: units,
      corruptBlocks: 0,
      unitsLost: 0,
    });
    expect(stage.agents.reduce((sum, { unitsDone }) => sum + unitsDone, 0)).toBe(units);
  }
  for (const name of ['write', 'verify']) {
    const stage = stageOf(result, name);
    expect(stage.bytes).toBe(units * unitBytes);
    expect(stage.bytesPerSecond * (stage.durationNs / 1e9)).toBeCloseTo(units * unitBytes, -1);
    const rates = stage.agents.reduce((sum, { bytesPerSecond }) => sum + bytesPerSecond, 0);
    expect(rates).toBeCloseTo(stage.bytesPerSecond, -1);
  }
}

function agentIn(stage: StageLine, name: string): StageLine['agents'][number] {
  const agent = stage.agents.find((each) => each.name === name);
  if (agent === undefined) throw new Error(`${name} is not in ${stage.name}`);
  return agent;
}

describe('agents that this command started', () => {
  test('a run survives the deaths of two agents, in mid-write and in mid-verify, without waiting for their leases', async () => {
    await using sandbox = new Sandbox();
    const plan = sandbox.plan(slowPlan(sandbox.target, 'lease: 60s'));
    const run = sandbox.start('run', plan, '--agents', '3', '--json');
    const deaths: { stageName: string; name: string }[] = [];
    for (const stageName of ['write', 'verify']) {
      const name = await run.midStage(stageName);
      signal(sandbox.agent(name).pid, 'SIGKILL');
      await run.event('lease-handed-over', stageName);
      deaths.push({ stageName, name });
    }
    const ended = await run.ended;
    expectPassed(ended);
    expect(ended.seconds).toBeLessThan(60);
    expect(ended.result).toMatchObject({ agentsSeen: 3, agentsLost: 2 });
    for (const { stageName, name } of deaths) {
      const events = eventsOf(ended.lines).filter((event) => event.stageName === stageName);
      expect(events.filter(({ kind }) => kind === 'agent-lost')).toMatchObject([
        { text: expect.stringContaining(name) },
      ]);
      for (const { text } of events.filter(({ kind }) => kind === 'lease-handed-over')) {
        expect(text).toMatch(new RegExp(`of ${name} are handed over: its process is gone`, 'u'));
      }
      const dead = agentIn(stageOf(ended.result, stageName), name);
      expect(dead.state).toBe('lost');
      expect(dead.unitsDone).toBeGreaterThan(0);
    }
    sandbox.expectNothingLeft();
  });

  test('an agent that hangs past its lease and comes back disturbs nothing, and is gone at the end', async () => {
    await using sandbox = new Sandbox();
    const plan = sandbox.plan(slowPlan(sandbox.target, 'lease: 2s, settleTimeout: 60s'));
    const run = sandbox.start('run', plan, '--agents', '3', '--json');
    const name = await run.midStage('write');
    const { pid } = sandbox.agent(name);
    signal(pid, 'SIGSTOP');
    for (const kind of ['agent-suspect', 'lease-handed-over', 'agent-lost']) {
      expect((await run.event(kind)).text).toContain(name);
    }
    signal(pid, 'SIGCONT');
    const ended = await run.ended;
    expectPassed(ended);
    expect(ended.result).toMatchObject({ agentsSeen: 3, agentsLost: 1 });
    expect(agentIn(stageOf(ended.result, 'write'), name).state).toBe('lost');
    // The delete waits for late writes; that the process has ended settles them long before the plan's minute.
    expect(ended.seconds).toBeLessThan(60);
    sandbox.expectNothingLeft();
  });
});

describe('agents that an administrator started', () => {
  test('a run survives the deaths of two agents, in mid-write and in mid-verify, of which nobody tells', async () => {
    await using sandbox = new Sandbox();
    const cluster = await Cluster.start(sandbox, 3);
    const run = cluster.start(sandbox.plan(slowPlan(sandbox.target, 'lease: 2s, settleTimeout: 1s')), '--json');
    for (const stageName of ['write', 'verify']) {
      const name = await run.midStage(stageName);
      cluster.agent(name).signal('SIGKILL');
      expect((await run.event('agent-suspect', stageName)).text).toContain(name);
      const { text } = await run.event('lease-handed-over', stageName);
      expect(text).toMatch(new RegExp(`of ${name} are handed over: its lease ran out`, 'u'));
    }
    const ended = await run.ended;
    expectPassed(ended);
    expect(ended.result).toMatchObject({ agentsSeen: 3, agentsLost: 2 });
    expect(eventsOf(ended.lines, 'agent-lost')).toHaveLength(2);
    await cluster.stop();
    sandbox.expectNothingLeft();
  });

  test('an agent that comes in mid-stage is given work at once', async () => {
    await using sandbox = new Sandbox();
    const cluster = await Cluster.start(sandbox, 2);
    // More than can be made while this test runs.
    const plan = sandbox.plan('{ data: { size: 1PiB }, target: { kind: null }, stages: [{ generate: {} }] }');
    const run = cluster.start(plan, '--json');
    await run.event('stage-started', 'generate');
    cluster.startAgent('agent-3');
    expect(await run.event('agent-joined')).toMatchObject({ stageName: 'generate' });
    const works = ({ agents }: ProgressLine): boolean =>
      agents.some(({ name, bytesPerSecond }) => name === 'agent-3' && bytesPerSecond > 0);
    await run.progress('generate', works, 'agent-3 at work');
    run.signal('SIGINT');
    const { code, result } = await run.ended;
    expect(code).toBe(130);
    expect(result).toMatchObject({ outcome: 'cancelled', agentsSeen: 3, agentsLost: 0 });
    const stage = stageOf(result, 'generate');
    expect(stage.agents.reduce((sum, { unitsDone }) => sum + unitsDone, 0)).toBe(stage.unitsDone);
    await cluster.stop();
    sandbox.expectNothingLeft();
  });

  test('agents may hang, come and go in mid-run: what they do not do, others do', async () => {
    await using sandbox = new Sandbox();
    const cluster = await Cluster.start(sandbox, 2);
    const run = cluster.start(sandbox.plan(slowPlan(sandbox.target, 'lease: 4s, settleTimeout: 1s')), '--json');

    const hangs = await run.midStage('write');
    cluster.agent(hangs).signal('SIGSTOP');
    // Until its leases have run out the stage cannot end.
    cluster.startAgent('agent-3');
    expect(await run.event('agent-joined')).toMatchObject({ stageName: 'write' });
    expect((await run.event('agent-lost')).text).toContain(hangs);
    cluster.agent(hangs).signal('SIGCONT');
    const refused = await cluster.agent(hangs).ended;
    expect(refused.code, refused.stderr).toBe(1);
    expect(refused.stderr).toMatch(new RegExp(`^error SEEDSTORM_E_AGENT_REFUSED: .*${hangs}`, 'mu'));

    const goes = await run.midStage('verify');
    cluster.agent(goes).signal('SIGTERM');
    const left = await cluster.agent(goes).ended;
    expect(left.code, left.stderr).toBe(0);

    const ended = await run.ended;
    expectPassed(ended);
    expect(ended.result).toMatchObject({ agentsSeen: 3, agentsLost: 1 });
    expect(eventsOf(ended.lines, 'agent-leaving')).toMatchObject([{ stageName: 'verify' }]);
    const verify = stageOf(ended.result, 'verify');
    for (const { name, unitsDone } of verify.agents) expect(unitsDone, name).toBeGreaterThan(0);
    expect(verify.agents).toHaveLength(2);
    expect(agentIn(verify, goes).state).toBe('left');
    const [last] = ['agent-1', 'agent-2', 'agent-3'].filter((name) => name !== hangs && name !== goes);
    expect(stageOf(ended.result, 'delete').agents.map(({ name }) => name)).toEqual([last]);
    await cluster.stop();
    sandbox.expectNothingLeft();
  });
});
