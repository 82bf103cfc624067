/** Stages that go by time: when they end, what counts of them, and that nothing is lost or wrongly blamed where they were cut. */
import { describe, expect, test } from 'vitest';
import { Cluster } from './support/cluster.js';
import { eventsOf, type ProgressLine, type StageLine, stageOf } from './support/messages.js';
import { signal } from './support/processes.js';
import { Sandbox } from './support/sandbox.js';

const second = 1e9;

/** Small blocks and one lane an agent: slow on any storage. */
function slowPlan(target: string, stages: string, size = '64MiB', more = ''): string {
  return `
data: { size: ${size}, unit: 64KiB }
target: { kind: file, path: ${target}, files: { size: 1MiB }, io: { block: 4KiB } }
load: { lanesPerAgent: 1, queueDepth: 1 }
control: { lease: 2s, settleTimeout: 1s }
${more}
stages: [${stages}]
`;
}

/** What must hold of every stage that ran its time. */
function expectTimed(stage: StageLine, seconds: number): NonNullable<StageLine['timed']> {
  const { timed } = stage;
  if (timed === undefined) throw new Error(`${stage.name} did not go by time`);
  expect(stage.complete).toBe(true);
  // Less than the whole second in which an agent would make a report.
  expect(stage.durationNs).toBeGreaterThan((seconds - 0.1) * second);
  expect(stage.durationNs).toBeLessThan((seconds + 0.9) * second);
  expect(stage.bytesPerSecond * (timed.countedNs / second)).toBeCloseTo(stage.bytes, -2);
  expect(stage.bytes).toBe(timed.operations * 4096);
  const rates = stage.agents.reduce((sum, { bytesPerSecond }) => sum + bytesPerSecond, 0);
  expect(rates / stage.bytesPerSecond).toBeCloseTo(1, 3);
  return timed;
}

describe('stages by time', () => {
  test('reads and verifies go through the data again and again until their time is over, and count all of it', async () => {
    await using sandbox = new Sandbox();
    const stages = 'write: {} }, { verify: { duration: 2s } }, { read: { duration: 1s } }, { delete: {} ';
    const plan = sandbox.plan(slowPlan(sandbox.target, `{ ${stages}}`, '4MiB'));
    const { code, result, stdout } = await sandbox.run('run', plan, '--agents', '2', '--json');
    expect(code, stdout.slice(-2000)).toBe(0);
    for (const [name, seconds] of [
      ['verify', 2],
      ['read', 1],
    ] as const) {
      const stage = stageOf(result, name);
      const timed = expectTimed(stage, seconds);
      expect(timed.passes).toBeGreaterThan(2);
      // Agents hold leases for two seconds ahead, of several passes where the data is this little.
      expect(timed.wholePasses).toBeGreaterThan(timed.passes / 3);
      expect(stage.unitsDone).toBe(Math.round(timed.passes * 64));
      expect(stage.latency?.count).toBe(timed.operations);
      // Only what was broken off in the middle of a unit is acknowledged and in no unit.
      expect(stage.bytes).toBeGreaterThanOrEqual(stage.unitsDone * 65_536);
      expect(stage.bytes).toBeLessThan((stage.unitsDone + 8) * 65_536);
    }
    expect(stageOf(result, 'write').timed).toBeUndefined();
    sandbox.expectNothingLeft();
  });

  test('what a write did not come to is left out of later stages, is said, and is never called corrupt', async () => {
    for (const sync of ['range', 'end']) {
      await using sandbox = new Sandbox();
      const plan = sandbox.plan(`
data: { size: 16GiB, unit: 64KiB }
target: { kind: file, path: ${sandbox.target}, files: { count: 8000 }, io: { block: 16KiB, sync: ${sync} } }
load: { lanesPerAgent: 1, queueDepth: 4 }
stages: [{ write: { duration: 1s } }, { verify: {} }, { delete: {} }]
`);
      const { code, result, stdout } = await sandbox.run('run', plan, '--agents', '2', '--json');
      expect(code, stdout.slice(-2000)).toBe(0);
      const [write, verify] = [stageOf(result, 'write'), stageOf(result, 'verify')];
      expect(write).toMatchObject({ complete: true, timed: { plannedMs: 1000, endedEarly: false } });
      expect(write.unitsDone).toBeGreaterThan(0);
      expect(verify).toMatchObject({ complete: true, corruptBlocks: 0, unitsDone: write.unitsDone });
      expect(verify.unitsNotWritten).toBe(262_144 - write.unitsDone);
      expect(result.notes.join()).toContain(`${262_144 - write.unitsDone} units were not written in its time`);
      expect(result.findings).toEqual([]);
      sandbox.expectNothingLeft();
    }
  });

  test('what each agent alone has is read again and again by it alone, and what it did not write is missed by nobody', async () => {
    await using sandbox = new Sandbox();
    const file = `kind: file, path: ${sandbox.target}, scope: local, files: { count: 8000 }, io: { block: 16KiB }`;
    for (const [target, size] of [
      ['kind: memory', '4MiB'],
      [file, '16GiB'],
    ] as const) {
      const plan = sandbox.plan(`
data: { size: ${size}, unit: 64KiB }
target: { ${target} }
load: { lanesPerAgent: 1 }
stages: [{ write: { duration: 500ms } }, { verify: { duration: 1s } }, { verify: {} }, { delete: {} }]
`);
      const { code, result, stdout } = await sandbox.run('run', plan, '--agents', '2', '--json');
      expect(code, stdout.slice(-2000)).toBe(0);
      expect(result).toMatchObject({ outcome: 'passed', findings: [], leftBehind: [] });
      const [write, timed, verify] = result.stages;
      expect(timed?.timed?.passes).toBeGreaterThan(0);
      expect(verify).toMatchObject({ unitsDone: write?.unitsDone, unitsLost: 0, corruptBlocks: 0 });
      expect(verify?.unitsByTheirWriter).toBe(verify?.unitsDone);
    }
    sandbox.expectNothingLeft();
  });

  test('a write that is through before its time says that there was not enough data', async () => {
    await using sandbox = new Sandbox();
    const plan = sandbox.plan(slowPlan(sandbox.target, '{ write: { duration: 60s } }, { delete: {} }', '4MiB'));
    const { code, result } = await sandbox.run('run', plan, '--json');
    expect(code).toBe(0);
    expect(stageOf(result, 'write')).toMatchObject({ unitsDone: 64, timed: { endedEarly: true, passes: 1 } });
    expect(result.notes.join()).toMatch(/write was through with all data after .* data\.size is too small/u);
  });

  test('the ramp is done and not counted, in throughput, operations and latency', async () => {
    await using sandbox = new Sandbox();
    const plan = sandbox.plan(`
data: { size: 64MiB, unit: 64KiB }
target: { kind: 'null' }
stages: [{ generate: { duration: 2s, ramp: 1s } }]
`);
    const { code, result, lines } = await sandbox.run('run', plan, '--json');
    expect(code).toBe(0);
    const stage = stageOf(result, 'generate');
    const { timed } = stage;
    expect(timed).toMatchObject({ plannedMs: 2000, rampNs: second });
    expect(stage.durationNs - (timed?.countedNs ?? 0)).toBe(second);
    expect(stage.latency?.count).toBe(timed?.operations);
    const all = stage.agents[0]?.pools[0]?.counters?.bytes ?? 0;
    expect(stage.bytes).toBeGreaterThan(0);
    // A third of it by time; less where other programs had the machine meanwhile.
    expect(stage.bytes).toBeLessThan(all * 0.95);
    const progress = lines.filter((line): line is ProgressLine => line.type === 'progress');
    expect(progress.every(({ durationMs, rampMs }) => durationMs === 2000 && rampMs === 1000)).toBe(true);
  });

  test('a stage ends as soon as it is stable, and one that never is says so and is no failure', async () => {
    await using sandbox = new Sandbox();
    const plan = sandbox.plan(`
data: { size: 64MiB, unit: 64KiB }
target: { kind: 'null' }
stages:
  - generate: { until: { stable: 99%, window: 3s, atMost: 30s } }
  - generate: { until: { stable: 0.01%, window: 3s, atMost: 4s } }
`);
    const { code, result, stdout } = await sandbox.run('run', plan, '--json');
    expect(code, stdout.slice(-2000)).toBe(0);
    const [stable, unstable] = result.stages;
    expect(stable?.timed?.stability).toMatchObject({ reached: true, wanted: 0.99, windowMs: 3000 });
    expect(stable?.timed?.stability?.variation).toBeLessThanOrEqual(0.99);
    expect(stable?.durationNs).toBeLessThan(10 * second);
    expect(unstable?.timed?.stability).toMatchObject({ reached: false, wanted: 0.0001 });
    expect(unstable?.durationNs).toBeGreaterThan(3.9 * second);
  });

  test('an agent that hangs does not hold up the end of a stage by time, and what it had counts once', async () => {
    await using sandbox = new Sandbox();
    // Of fewer, one would be more than a third: that might be the network, and hand-over waits.
    const cluster = await Cluster.start(sandbox, 3);
    const stages = '{ write: {} }, { verify: { duration: 12s } }, { delete: {} }';
    const run = cluster.start(sandbox.plan(slowPlan(sandbox.target, stages, '8MiB')), '--json');
    await run.progress('verify', ({ unitsDone }) => unitsDone > 10, 'some units read');
    const { pid } = sandbox.agent('agent-2');
    try {
      signal(pid, 'SIGSTOP');
      expect((await run.event('lease-handed-over', 'verify')).text).toContain('agent-2');
      const { code, result, stdout } = await run.ended;
      expect(code, stdout.slice(-2000)).toBe(0);
      expect(result).toMatchObject({ outcome: 'passed', agentsLost: 1, findings: [] });
      const stage = stageOf(result, 'verify');
      expect(stage.complete).toBe(true);
      expect(stage.durationNs).toBeLessThan(12.9 * second);
      expect(stage.unitsDone).toBe(stage.agents.reduce((sum, { unitsDone }) => sum + unitsDone, 0));
      expect(stage.timed?.wholePasses).toBeGreaterThan(1);
    } finally {
      signal(pid, 'SIGCONT');
    }
    // It was lost for good: when it wakes up it is told so, and ends.
    expect((await cluster.agent('agent-2').ended).code).toBe(1);
    await cluster.stop();
    sandbox.expectNothingLeft();
  });

  test('agents that die or come late in a stage by time neither end it nor count twice', async () => {
    await using sandbox = new Sandbox();
    const cluster = await Cluster.start(sandbox, 3);
    const plan = slowPlan(sandbox.target, '{ write: {} }, { verify: { duration: 8s } }, { delete: {} }', '8MiB');
    const run = cluster.start(sandbox.plan(plan), '--json');
    const name = 'agent-2';
    await run.progress('verify', ({ unitsDone }) => unitsDone > 10, 'some units read');
    cluster.agent(name).signal('SIGKILL');
    cluster.startAgent('late');
    expect((await run.event('agent-joined', 'verify')).text).toContain('late');
    expect((await run.event('lease-handed-over', 'verify')).text).toContain(name);
    const { code, result, lines, stdout } = await run.ended;
    expect(code, stdout.slice(-2000)).toBe(0);
    expect(result).toMatchObject({ outcome: 'passed', agentsSeen: 4, agentsLost: 1 });
    const stage = stageOf(result, 'verify');
    expect(stage.complete).toBe(true);
    expect(stage.durationNs).toBeLessThan(8.9 * second);
    expect(stage.agents.find((agent) => agent.name === 'late')?.unitsDone).toBeGreaterThan(0);
    expect(stage.unitsDone).toBe(stage.agents.reduce((sum, { unitsDone }) => sum + unitsDone, 0));
    expect(stage.timed?.wholePasses).toBeGreaterThan(1);
    expect(eventsOf(lines, 'finding')).toEqual([]);
    await cluster.stop();
    sandbox.expectNothingLeft();
  });
});
