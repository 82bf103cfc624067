/** Repetitions and sweeps: every round is done, on the agents and with the load of its point, and what it came to is told. */
import { describe, expect, test } from 'vitest';
import { eventsOf } from './support/messages.js';
import { Sandbox } from './support/sandbox.js';

describe('repeat', () => {
  test('stages that are repeated over data that stays raise its generation, and are told one by one and together', async () => {
    await using sandbox = new Sandbox();
    const plan = sandbox.plan(`
data: { size: 4MiB, unit: 64KiB }
target: { kind: file, path: ${sandbox.target}, files: { count: 8 } }
repeat: 3
stages: [{ write: {} }, { verify: {} }]
`);
    const { code, result, lines, stdout } = await sandbox.run('run', plan, '--agents', '2', '--json');
    expect(code, stdout.slice(-2000)).toBe(0);
    const names = [1, 2, 3].flatMap((repetition) => [`write #${repetition}`, `verify #${repetition}`]);
    expect(result.stages.map(({ label }) => label)).toEqual(names);
    expect(result.stages.map(({ name, repetition }) => [name, repetition])).toEqual(
      [1, 2, 3].flatMap((repetition) => [
        ['write', repetition],
        ['verify', repetition],
      ]),
    );
    expect(result.stages.every(({ complete, corruptBlocks }) => complete && corruptBlocks === 0)).toBe(true);
    expect(eventsOf(lines, 'stage-started').map(({ stageName }) => stageName)).toEqual(names);
    expect(eventsOf(lines, 'round-started').map(({ text }) => text)).toEqual(
      [1, 2, 3].map((repetition) => `repetition ${repetition} of 3`),
    );
    expect(result.spreads).toMatchObject([
      { name: 'write', repetitions: 3 },
      { name: 'verify', repetitions: 3 },
    ]);
    for (const [at, { bytesPerSecond }] of result.spreads.entries()) {
      const rates = result.stages.filter(({ stage }) => stage === at).map((stage) => stage.bytesPerSecond);
      const [least = 0, middle = 0, greatest = 0] = rates.sort((a, b) => a - b);
      expect(bytesPerSecond).toEqual({ least, median: middle, greatest, spread: (greatest - least) / middle });
    }
  });
});

describe('sweep', () => {
  test('each combination is done with its own load, on the agents that joined first, by the same processes', async () => {
    await using sandbox = new Sandbox();
    const plan = sandbox.plan(`
data: { size: 2MiB, unit: 64KiB }
target: { kind: file, path: ${sandbox.target}, files: { count: 8 } }
sweep: { agents: [1, 2], block: [16KiB, 64KiB], queueDepth: [1, 4], knee: p99 < 60s }
stages: [{ write: {} }, { read: { duration: 200ms } }, { delete: {} }]
`);
    const { code, result, lines, stderr } = await sandbox.run('run', plan, '--json');
    expect(code, JSON.stringify([result.error, result.notes, stderr])).toBe(0);
    expect(result).toMatchObject({ outcome: 'passed', agentsSeen: 2, agentsLost: 0 });
    const combinations = [1, 2].flatMap((agents) =>
      [16_384, 65_536].flatMap((block) => [1, 4].map((queueDepth) => ({ agents, block, queueDepth }))),
    );
    expect(
      result.sweep?.points.map(({ values }) => Object.fromEntries(values.map(({ key, value }) => [key, value]))),
    ).toEqual(combinations);
    expect(result.stages).toHaveLength(8 * 3);
    for (const [at, { agents, block, queueDepth }] of combinations.entries()) {
      const [write, read] = result.stages.filter(({ point }) => point === at + 1);
      expect(write).toMatchObject({ label: `write at point ${at + 1}`, complete: true, unitsDone: 32 });
      expect(write?.agents).toHaveLength(agents);
      expect(write?.queues?.depth).toBe(queueDepth);
      const operations = write?.agents.flatMap(({ pools }) => pools.map(({ counters }) => counters?.operations ?? 0));
      expect(operations?.reduce((sum, each) => sum + each, 0)).toBe((2 * 1024 ** 2) / block);
      expect(read?.timed?.plannedMs).toBe(200);
    }
    const rows = result.sweep?.rows ?? [];
    expect(rows).toHaveLength(8 * 3);
    for (const { name, point, stage } of result.sweep?.knees ?? []) {
      const of = rows.filter((row) => row.stage === stage);
      const rate = (row: (typeof rows)[number]): number => row.bytesPerSecond || row.operationsPerSecond;
      expect(
        of.find((row) => row.point === point),
        name,
      ).toBe(of.reduce((a, b) => (rate(b) > rate(a) ? b : a)));
    }
    expect(result.sweep?.knees.map(({ name }) => name)).toEqual(['write', 'read', 'delete']);
    expect(eventsOf(lines, 'round-started')[7]?.text).toBe('point 8 of 8: agents 2, block 64KiB, queueDepth 4');
    sandbox.expectNothingLeft();
  });

  test('people see a table with a row a point, and that there is no knee where none stays below the limit', async () => {
    await using sandbox = new Sandbox();
    const plan = sandbox.plan(`
data: { size: 64MiB, unit: 64KiB }
target: { kind: 'null' }
repeat: 2
sweep: { lanesPerAgent: [1, 2], knee: max < 0.001us }
stages: [{ generate: { duration: 200ms } }]
`);
    const { code, stdout, stderr } = await sandbox.run('run', plan);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/point .* lanesPerAgent .* stage .* GB\/s/u);
    expect(stdout).toMatch(/^generate: no point with max < .*: there is no knee$/mu);
    const checked = await sandbox.run('check', plan);
    expect(checked.stdout).toMatch(/^point 2 {2}lanesPerAgent 2$/mu);
    expect(checked.stdout).toMatch(/^rounds {3}the stages below are done 4 times, 2 at each point$/mu);
    expect(checked.stdout).toMatch(/^time {5}800ms$/mu);
  });

  test('over rates each is kept by all agents together, and one that is not reached is said and is no knee', async () => {
    await using sandbox = new Sandbox();
    const plan = sandbox.plan(`
data: { size: 64MiB, unit: 4KiB }
target: { kind: memory }
load: { lanesPerAgent: 1 }
sweep: { rate: [500/s, 2000/s, 900000000/s], knee: p99 < 60s }
stages: [{ write: {} }, { read: { rate: sweep, arrivals: poisson, duration: 3s } }, { delete: {} }]
`);
    const { code, result, lines, stderr } = await sandbox.run('run', plan, '--agents', '2', '--json');
    expect(code, JSON.stringify([result.error, result.notes, stderr])).toBe(0);
    const reads = result.sweep?.rows.filter(({ name }) => name === 'read') ?? [];
    expect(reads.map(({ rate }) => [rate?.of, rate?.wanted, rate?.kept])).toEqual([
      ['operations', 500, true],
      ['operations', 2000, true],
      ['operations', 900_000_000, false],
    ]);
    for (const { rate, kneeNs, point } of reads) {
      const stage = result.stages.find((each) => each.name === 'read' && each.point === point);
      expect(rate?.reached).toBe(stage?.rate?.reached);
      expect(kneeNs).toBe(stage?.rate?.response?.p99Ns);
    }
    // What a client would have waited grows without end where the rate is not reached.
    expect(reads[2]?.rate?.p99Ns).toBeGreaterThan(100 * (reads[2]?.p50Ns ?? 0));
    expect(result.sweep?.knees).toEqual([{ stage: 1, name: 'read', point: 2 }]);
    expect(eventsOf(lines, 'round-started')[1]?.text).toBe('point 2 of 3: rate 2,000 operations/s');
    const { stdout } = await sandbox.run('run', plan, '--agents', '2');
    expect(stdout).toMatch(/read .* not kept: \d/u);
    expect(stdout).toMatch(/^read: the most with p99 < .* at rate 2,000 operations\/s$/mu);
    const checked = await sandbox.run('check', plan);
    expect(checked.stdout).toMatch(
      /^stage 2 {2}read at the rate of the point of all agents together, at random instants/mu,
    );
  });

  test.each([
    ['rates that no stage keeps', '{ rate: [100/s] }', '{}', 'no stage keeps these rates'],
    ['a stage that keeps rates of no sweep', '{ queueDepth: [1] }', '{ rate: sweep }', 'no sweep over rates'],
    ['operations beside bytes', '{ rate: [100/s, 5MB/s] }', '{ rate: sweep }', 'cannot be compared'],
  ])('refuses %s', async (_, sweep, write, why) => {
    await using sandbox = new Sandbox();
    const target = `{ kind: file, path: ${sandbox.target} }`;
    const plan = sandbox.plan(
      `\ndata: { size: 1MiB }\ntarget: ${target}\nsweep: ${sweep}\nstages: [{ write: ${write} }]\n`,
    );
    const { code, stderr } = await sandbox.run('run', plan);
    expect([code, stderr]).toEqual([2, expect.stringContaining(why)]);
  });
});
