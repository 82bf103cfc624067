/** Stopping, at any moment and by any means: what the run made is removed, and nobody stays behind. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { Cluster } from './support/cluster.js';
import type { Command, Ended } from './support/command.js';
import { expectNoTrace } from './support/errors.js';
import { signal } from './support/processes.js';
import type { Sandbox } from './support/sandbox.js';
import { test } from './support/test.js';
import { until } from './support/until.js';

/** Small blocks and few lanes: slow on any storage, so that a stage can be stopped in its middle. */
function slowPlan(sandbox: Sandbox, control = 'lease: 10s'): string {
  return sandbox.plan(`
data: { size: 384MiB, unit: 256KiB }
target: { kind: file, path: ${sandbox.target}, files: { count: 192 }, io: { block: 16KiB } }
load: { lanesPerAgent: 1, queueDepth: 1 }
control: { ${control} }
stages: [{ write: {} }, { verify: {} }, { delete: {} }]
`);
}

/** A run of little data that waits for an hour between write and verify. */
function waitingPlan(sandbox: Sandbox): string {
  return sandbox.plan(`
data: { size: 16MiB }
target: { kind: file, path: ${sandbox.target} }
stages: [{ write: {} }, { verify: { delay: 1h } }, { delete: {} }]
`);
}

function expectStopped(ended: Ended): void {
  expect(ended.code, ended.stderr).toBe(130);
  expect(ended.signal).toBeNull();
  expectNoTrace(ended);
}

const ways: [what: string, send: (run: Command) => void][] = [
  ['Ctrl-C', (run) => run.signalGroup('SIGINT')],
  ['SIGINT to the command alone', (run) => run.signal('SIGINT')],
  ['SIGTERM', (run) => run.signal('SIGTERM')],
  ['the end of its terminal', (run) => run.signalGroup('SIGHUP')],
  [
    'Ctrl-C that is passed on twice',
    (run) => {
      run.signalGroup('SIGINT');
      run.signal('SIGINT');
    },
  ],
];

describe('a run that is stopped', () => {
  test.concurrent.for(ways)('while it waits, by %s, leaves nothing', async ([, send], { sandbox }) => {
    const run = sandbox.start('run', waitingPlan(sandbox), '--agents', '1');
    await run.said(/verify begins in 3600 s/u);
    expect(sandbox.files()).toHaveLength(16);
    send(run);
    const ended = await run.ended;
    expectStopped(ended);
    expect(ended.stderr).toMatch(/^stopping: /mu);
    expect(ended.stderr).toMatch(/what it wrote is removed$/mu);
    expect(ended.stdout).toMatch(/^run \S+: cancelled in /mu);
    expect(ended.stdout).not.toMatch(/left on the target/u);
    sandbox.expectNothingLeft();
  });

  test.for(['write', 'verify'])('in mid-%s leaves nothing', async (stage, { sandbox }) => {
    const run = sandbox.start('run', slowPlan(sandbox), '--agents', '3', '--json');
    await run.midStage(stage);
    run.signalGroup('SIGINT');
    const ended = await run.ended;
    expectStopped(ended);
    expect(ended.result).toMatchObject({ outcome: 'cancelled', leftBehind: [] });
    expect(ended.result.stages.at(-1)).toMatchObject({ name: stage, complete: false });
    sandbox.expectNothingLeft();
  });

  test('before its agents have come leaves nothing', async ({ sandbox }) => {
    const run = sandbox.start('run', slowPlan(sandbox), '--agents', '3');
    await run.said(/0 of 3 agents have joined/u);
    run.signalGroup('SIGINT');
    expectStopped(await run.ended);
    sandbox.expectNothingLeft();
  });

  test('while its coordinator comes up leaves nothing', async ({ sandbox }) => {
    const run = sandbox.start('run', slowPlan(sandbox), '--agents', '3');
    // Its child is there as soon as the command heeds signals, and before anything else is.
    await until(
      () => sandbox.processes().length > 1 || run.over,
      30_000,
      () => run.stderr,
    );
    run.signalGroup('SIGINT');
    expectStopped(await run.ended);
    sandbox.expectNothingLeft();
  });

  test('with --keep keeps its files, and says where', async ({ sandbox }) => {
    const run = sandbox.start('run', waitingPlan(sandbox), '--agents', '1', '--keep');
    await run.said(/verify begins in 3600 s/u);
    const files = sandbox.files();
    run.signalGroup('SIGINT');
    const ended = await run.ended;
    expectStopped(ended);
    expect(ended.stderr).toMatch(/what it wrote is kept$/mu);
    const [folder = ''] = readdirSync(sandbox.target);
    expect(ended.stdout).toContain(`left on the target: ${join(sandbox.target, folder)}\n`);
    expect(files).toHaveLength(16);
    expect(sandbox.files()).toEqual(files);
    expect(sandbox.processes()).toEqual([]);
  });

  test('and cannot end, since an agent hangs, is ended by a second Ctrl-C, which says what may be left', async ({
    sandbox,
  }) => {
    const run = sandbox.start('run', waitingPlan(sandbox), '--agents', '1', '--json');
    await run.event('stage-waiting', 'verify');
    signal(sandbox.agent('agent-1').pid, 'SIGSTOP');
    run.signalGroup('SIGINT');
    await run.event('cleaning-up');
    // Within a second it would be the same Ctrl-C.
    await new Promise((resolve) => setTimeout(resolve, 1100));
    run.signalGroup('SIGINT');
    const ended = await run.ended;
    expectStopped(ended);
    // The lock of an agent that hung is cleared away by the next run.
    const folder = readdirSync(sandbox.target).find((name) => !name.startsWith('.')) ?? '';
    expect(ended.stderr).toContain(`may be left in ${join(sandbox.target, folder)}\n`);
    await sandbox.gone(5000);
  });
});

describe('a command that is killed', () => {
  test('leaves nothing: its children see it and clear up', async ({ sandbox }) => {
    const run = sandbox.start('run', slowPlan(sandbox), '--agents', '3', '--json');
    await run.midStage('write');
    run.signal('SIGKILL');
    await run.ended;
    await sandbox.gone(25_000);
    sandbox.expectNothingLeft();
  });

  test('leaves no agent even when the coordinator is killed with it', async ({ sandbox }) => {
    const run = sandbox.start('run', waitingPlan(sandbox), '--agents', '2', '--json');
    await run.event('stage-waiting', 'verify');
    const coordinator = sandbox.processes().find(({ args }) => args.includes('coordinator'));
    signal(coordinator?.pid ?? 0, 'SIGKILL');
    run.signal('SIGKILL');
    await run.ended;
    await sandbox.gone(25_000);
  });

  test('leaves no agent when it is killed while they start', async ({ sandbox }) => {
    const run = sandbox.start('run', slowPlan(sandbox), '--agents', '3');
    await run.said(/0 of 3 agents have joined/u);
    run.signal('SIGKILL');
    await run.ended;
    await sandbox.gone(25_000);
    sandbox.expectNothingLeft();
  });
});

describe('a cluster', () => {
  test('whose run is stopped is ready for the next one', async ({ sandbox }) => {
    const cluster = await Cluster.start(sandbox, 2);
    const run = cluster.start(waitingPlan(sandbox), '--json');
    await run.event('stage-waiting', 'verify');
    run.signalGroup('SIGINT');
    expectStopped(await run.ended);
    expect(readdirSync(sandbox.target)).toEqual([]);
    const plan = sandbox.plan(
      '{ data: { size: 16MiB }, target: { kind: memory }, stages: [{ write: {} }, { verify: {} }] }',
    );
    const next = await cluster.run(plan);
    expect(next.code, next.stderr).toBe(0);
    await cluster.stop();
    sandbox.expectNothingLeft();
  });

  test('whose run is stopped when an agent is dead of which nobody told clears up when its writes can be no more', async ({
    sandbox,
  }) => {
    const cluster = await Cluster.start(sandbox, 2);
    const run = cluster.start(slowPlan(sandbox, 'lease: 2s, settleTimeout: 2s'), '--json');
    cluster.agent(await run.midStage('write')).signal('SIGKILL');
    run.signalGroup('SIGINT');
    const ended = await run.ended;
    expectStopped(ended);
    expect(ended.result).toMatchObject({ outcome: 'cancelled', leftBehind: [], agentsLost: 1 });
    const kinds = ended.lines.flatMap((line) => (line.type === 'event' ? [line.kind] : []));
    expect(kinds.slice(kinds.indexOf('agent-lost'))).toEqual(expect.arrayContaining(['cleaning-up', 'settling']));
    await cluster.stop();
    sandbox.expectNothingLeft();
  });

  test('whose run is stopped once more while it clears up clears up all the same', async ({ sandbox }) => {
    const cluster = await Cluster.start(sandbox, 2);
    // The dead agent's writes have to be waited for: there is time to stop it again.
    const run = cluster.start(slowPlan(sandbox, 'lease: 2s, settleTimeout: 4s'), '--json');
    cluster.agent(await run.midStage('write')).signal('SIGKILL');
    run.signalGroup('SIGINT');
    await run.event('settling');
    cluster.coordinator.signal('SIGTERM');
    const ended = await run.ended;
    expectStopped(ended);
    expect(ended.result).toMatchObject({ outcome: 'cancelled', leftBehind: [] });
    await cluster.gone();
    sandbox.expectNothingLeft();
  });

  test('whose coordinator is told to go in mid-run clears up first, and sends the agents away', async ({ sandbox }) => {
    const cluster = await Cluster.start(sandbox, 2);
    const run = cluster.start(slowPlan(sandbox), '--json');
    await run.midStage('write');
    await cluster.stop();
    const ended = await run.ended;
    expectStopped(ended);
    expect(ended.result).toMatchObject({ outcome: 'cancelled', leftBehind: [] });
    for (const agent of cluster.agents) expect((await agent.ended).code).toBe(0);
    sandbox.expectNothingLeft();
  });

  test('whose coordinator is killed in mid-run ends the command with an error, and agents can still be told to go', async ({
    sandbox,
  }) => {
    const cluster = await Cluster.start(sandbox, 1);
    const run = cluster.start(waitingPlan(sandbox), '--json');
    await run.event('stage-waiting', 'verify');
    cluster.coordinator.signal('SIGKILL');
    const ended = await run.ended;
    expect(ended.code).toBe(1);
    expect(ended.stderr).toMatch(/^error SEEDSTORM_E_COORDINATOR_UNREACHABLE: /mu);
    expectNoTrace(ended);
    const [agent] = cluster.agents;
    await agent?.said(/trying again/u);
    agent?.signal('SIGTERM');
    expect((await agent?.ended)?.code).toBe(0);
  });
});

describe('a check that is stopped', () => {
  test('leaves no process', async ({ sandbox }) => {
    const check = sandbox.start('check', waitingPlan(sandbox), '--agents', '3');
    await until(
      () => sandbox.processes().length > 2 || check.over,
      30_000,
      () => check.stderr,
    );
    check.signalGroup('SIGINT');
    expectStopped(await check.ended);
    sandbox.expectNothingLeft();
  });
});
