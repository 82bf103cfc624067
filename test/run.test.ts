/** Whole runs: what a user of Seedstorm gets when everything goes well. */
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RunResult, StageResult } from '@seedstorm/proto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster } from './support/cluster.js';
import { commandFile, type Ended } from './support/command.js';
import { eventsOf, type ResultLine, type StageLine, stageOf } from './support/messages.js';
import { Sandbox } from './support/sandbox.js';

const KiB = 1024;
const MiB = 1024 ** 2;
const agents = ['agent-1', 'agent-2', 'agent-3'];

/** Every unit done once, by somebody, and nothing else. */
function expectWhole(stage: StageLine, units: number): void {
  expect(stage, stage.name).toMatchObject({
    complete: true,
    units,
    unitsDone: units,
    corruptBlocks: 0,
    errors: 0,
    unitsReworked: 0,
    unitsIndeterminate: 0,
    unitsLost: 0,
    findingCounts: [],
  });
  const sum = (of: (agent: StageLine['agents'][number]) => number): number =>
    stage.agents.reduce((total, agent) => total + of(agent), 0);
  expect(sum((agent) => agent.unitsDone)).toBe(units);
  if (stage.name === 'delete') return;
  expect(sum(({ pools }) => pools.reduce((total, pool) => total + (pool.counters?.bytes ?? 0), 0))).toBe(stage.bytes);
  expect(sum(({ pools }) => pools.reduce((total, pool) => total + (pool.latency?.count ?? 0), 0))).toBe(
    stage.latency?.count,
  );
  expect(sum((agent) => agent.bytesPerSecond)).toBeCloseTo(stage.bytesPerSecond, -1);
  expect(stage.bytesPerSecond).toBeCloseTo(stage.bytes / (stage.durationNs / 1e9), -1);
}

describe('a run of three agents that this command starts', () => {
  const units = 3 * 256 + 1;
  let sandbox: Sandbox;
  let ended: Ended;
  let result: ResultLine;

  beforeAll(async () => {
    sandbox = new Sandbox();
    const plan = sandbox.plan(`
name: three-agents
data: { size: ${units * 256}KiB, unit: 256KiB, dedup: { ratio: 1.5 }, compress: { ratio: 2 } }
target: { kind: file, path: ${sandbox.target}, files: { size: 4MiB } }
stages: [{ write: {} }, { verify: {} }, { read: {} }, { delete: {} }]
`);
    ended = await sandbox.run('run', plan, '--agents', '3', '--json');
    result = ended.result;
  });
  afterAll(() => sandbox[Symbol.asyncDispose]());

  test('ends with exit code 0 when every byte was right', () => {
    expect(ended.code, ended.stderr).toBe(0);
    expect(result).toMatchObject({
      type: 'result',
      name: 'three-agents',
      outcome: 'passed',
      findings: [],
      leftBehind: [],
      agentsSeen: 3,
      agentsLost: 0,
    });
    expect(result.error).toBeUndefined();
  });

  test('accounts for every unit exactly once, by agent and in all', () => {
    expect(result.stages.map(({ name }) => name)).toEqual(['write', 'verify', 'read', 'delete']);
    for (const stage of result.stages) {
      expectWhole(stage, units);
      expect(stage.agents.map(({ name }) => name)).toEqual(agents);
      for (const agent of stage.agents) expect(agent.unitsDone, `${agent.name} in ${stage.name}`).toBeGreaterThan(0);
    }
    for (const name of ['write', 'verify', 'read']) expect(stageOf(result, name).bytes).toBe(units * 256 * KiB);
  });

  test('lets no agent check what it wrote itself', () => {
    expect(stageOf(result, 'verify').unitsByTheirWriter).toBe(0);
    expect(stageOf(result, 'read').unitsByTheirWriter).toBe(0);
  });

  test('measures: rates, latencies that are in order, and how much together the agents began', () => {
    for (const stage of result.stages) {
      const { latency, durationNs, operationsPerSecond, startSkewNs, clockErrorNs } = stage;
      expect(durationNs).toBeGreaterThan(0);
      expect(operationsPerSecond).toBeGreaterThan(0);
      const { count = 0, p50Ns = 0, p90Ns = 0, p99Ns = 0, p999Ns = 0, maxNs = 0 } = latency ?? {};
      expect(count).toBeGreaterThan(0);
      expect(p50Ns).toBeGreaterThan(0);
      expect([p50Ns, p90Ns, p99Ns, p999Ns, maxNs]).toEqual([p50Ns, p90Ns, p99Ns, p999Ns, maxNs].sort((a, b) => a - b));
      expect(startSkewNs).toBeGreaterThan(0);
      expect(startSkewNs).toBeLessThan(1e9);
      expect(clockErrorNs).toBeGreaterThan(0);
    }
  });

  test('tells a program everything: a JSON object a line, with every documented field', () => {
    expect(ended.stdout.trimEnd().split('\n')).toHaveLength(ended.lines.length);
    // Why it failed, and what only some stages and plans have.
    const sometimes = ['error', 'network', 'timed', 'point', 'store', 'sweep', 'rate', 'memory', 'mixed'];
    const fields = (whole: object): string[] => Object.keys(whole).filter((field) => !sometimes.includes(field));
    expect(Object.keys(result)).toEqual(expect.arrayContaining(fields(RunResult.fromPartial({}))));
    const stage = stageOf(result, 'write');
    expect(Object.keys(stage)).toEqual(expect.arrayContaining(fields(StageResult.fromPartial({}))));
    expect(result.seed).toMatch(/^\d+$/u);
    expect(result.namespace).toBe(result.runId);
    for (const name of ['write', 'verify', 'read', 'delete']) {
      const kinds = eventsOf(ended.lines)
        .filter((event) => event.stageName === name)
        .map(({ kind }) => kind);
      expect(kinds.filter((kind) => kind.startsWith('stage-'))).toEqual(['stage-started', 'stage-ended']);
    }
    expect(ended.lines.some((line) => line.type === 'progress')).toBe(true);
  });

  test('leaves no file and no process', () => {
    sandbox.expectNothingLeft();
  });
});

describe('on agents that an administrator started', () => {
  let sandbox: Sandbox;
  let cluster: Cluster;

  beforeAll(async () => {
    sandbox = new Sandbox();
    cluster = await Cluster.start(sandbox, 3);
  });
  afterAll(async () => {
    await cluster.stop();
    sandbox.expectNothingLeft();
    await sandbox[Symbol.asyncDispose]();
  });

  /** Runs a plan with these sections; it must pass. */
  async function pass(sections: string, ...flags: string[]): Promise<ResultLine> {
    const ended = await cluster.run(sandbox.plan(sections), '--json', ...flags);
    expect(ended.code, ended.stdout.slice(-2000) + ended.stderr).toBe(0);
    expect(ended.result.outcome).toBe('passed');
    return ended.result;
  }

  test('a log of a run shows a row for every agent, and the table on stdout', async () => {
    const plan = sandbox.plan(`
  data: { size: 48MiB }
  target: { kind: file, path: ${sandbox.target} }
  stages: [{ write: {} }, { verify: {} }, { delete: {} }]
  `);
    const { code, stdout, stderr } = await cluster.run(plan);
    expect(code, stderr).toBe(0);
    expect(`${stdout}${stderr}`).not.toContain('\x1b');
    for (const agent of agents) {
      expect(stderr).toMatch(new RegExp(`^ {2}${agent} .*GB/s .*IOPS .*units$`, 'mu'));
      expect(stdout.split('\n').filter((line) => line.includes(` ${agent} `))).toHaveLength(3);
    }
    expect(stderr).toMatch(/^write .*% of 48 MiB · .* GB\/s now, .* GB\/s average · .* IOPS · p50 .*, p99 .*, max /mu);
    expect(stdout).toMatch(/^run \S+: passed in .* s · seed \d+ · namespace \S+$/mu);
    expect(stdout).toMatch(/stage .*agent .*NUMA node .*GB\/s .*IOPS .*p50 .*p99 .*max .*units done .*corrupt/u);
    for (const stage of ['write', 'verify', 'delete']) {
      expect(stdout).toMatch(new RegExp(`│ ${stage} +│ all .*│ +48 of 48 │ +0 │`, 'u'));
    }
    expect(sandbox.files()).toEqual([]);
  });

  test.each(['block', 'range', 'file', 'end', 'never'])('data is whole under sync: %s', async (sync) => {
    const result = await pass(`
data: { size: 48MiB, unit: 256KiB }
target: { kind: file, path: ${sandbox.target}, files: { count: 24 }, io: { sync: ${sync} } }
stages: [{ write: {} }, { verify: {} }, { delete: {} }]
`);
    for (const stage of result.stages) expectWhole(stage, 192);
    const pools = stageOf(result, 'write').agents.flatMap((agent) => agent.pools);
    const syncs = pools.reduce((sum, { counters }) => sum + (counters?.syncs ?? 0), 0);
    // Under block each write is durable when it returns, by the way the file was opened.
    if (sync === 'never' || sync === 'block') expect(syncs).toBe(0);
    else expect(syncs).toBeGreaterThan(0);
    expect(sandbox.files()).toEqual([]);
  });

  test.each([
    ['smaller than the unit', '16KiB', 3072],
    ['larger than the unit', '1MiB', 48],
  ])('data is whole with a block %s', async (_, block, operations) => {
    const result = await pass(`
data: { size: 48MiB, unit: 256KiB }
target: { kind: file, path: ${sandbox.target}, io: { block: ${block} } }
stages: [{ write: {} }, { verify: {} }, { delete: {} }]
`);
    for (const stage of result.stages) expectWhole(stage, 192);
    expect(stageOf(result, 'write').latency?.count).toBe(operations);
    expect(stageOf(result, 'verify').latency?.count).toBe(operations);
  });

  test('static shares are equal, and an agent without a share does not hold up the others', async () => {
    const result = await pass(`
data: { size: 48MiB, unit: 256KiB }
target: { kind: file, path: ${sandbox.target}, files: { count: 24 } }
assign: static
stages: [{ write: {} }, { verify: {} }, { delete: {} }]
`);
    for (const stage of result.stages) {
      expectWhole(stage, 192);
      expect(stage.agents.map(({ unitsDone }) => unitsDone)).toEqual([64, 64, 64]);
    }
    const one = await pass(`
data: { size: 2MiB }
target: { kind: file, path: ${sandbox.target}, files: { count: 2 } }
assign: static
stages: [{ write: {} }, { verify: {} }, { delete: {} }]
`);
    for (const stage of one.stages) expectWhole(stage, 2);
  });

  test('a second write of the same data is another generation, and is checked as that', async () => {
    const result = await pass(`
data: { size: 16MiB, unit: 256KiB }
target: { kind: file, path: ${sandbox.target} }
stages: [{ write: {} }, { verify: {} }, { write: {} }, { verify: {} }, { delete: {} }]
`);
    for (const stage of result.stages) expectWhole(stage, 64);
  });

  test('memory is a target too: each agent checks what it keeps', async () => {
    const result = await pass(`
data: { size: 96MiB, unit: 256KiB }
target: { kind: memory }
stages: [{ write: {} }, { verify: {} }]
`);
    for (const stage of result.stages) expectWhole(stage, 384);
    const done = ({ agents: all }: StageLine): number[] => all.map(({ unitsDone }) => unitsDone);
    expect(done(stageOf(result, 'verify'))).toEqual(done(stageOf(result, 'write')));
  });

  test('the generators are measured without any storage', async () => {
    const result = await pass(`
data: { size: 512MiB, compress: { ratio: 2 } }
target: { kind: null }
stages: [{ generate: {} }]
`);
    expectWhole(stageOf(result, 'generate'), 512);
    expect(stageOf(result, 'generate').bytesPerSecond).toBeGreaterThan(0);
  });

  test('files that are kept hold exactly what `seedstorm content` prints, to the last byte of a short last file', async () => {
    const target = sandbox.makeFolder('kept');
    const result = await pass(
      `
seed: 18446744073709551615
namespace: kept files
data:
  size: 33MiB
  unit: 256KiB
  dedup: { ratio: 1.5, window: 16 }
  compress: { ratio: 2.5, codec: lz4, record: 4KiB }
target: { kind: file, path: kept, files: { size: 2MiB } }
stages: [{ write: {} }, { verify: {} }, { delete: {} }]
`,
      '--keep',
    );
    const folder = join(target, result.runId);
    expect(result.leftBehind).toEqual([folder]);
    const files = sandbox.files(folder);
    expect(files).toHaveLength(17);
    const sizes = files.map((file) => statSync(join(folder, file)).size);
    expect(sizes).toEqual([...Array.from({ length: 16 }, () => 2 * MiB), MiB]);
    for (const index of [0, 1, 7, 15, 16]) {
      const flags = `--seed 18446744073709551615 --unit 256KiB --dedup 1.5 --window-units 16 --compress 2.5 --codec lz4 --record 4096 --offset ${index * 2 * MiB} --length ${sizes[index]}`;
      const expected = execFileSync(
        process.execPath,
        [commandFile, 'content', '--namespace', 'kept files', ...flags.split(' ')],
        { maxBuffer: 4 * MiB },
      );
      expect(readFileSync(join(folder, files[index] ?? '')).equals(expected), `file ${index}`).toBe(true);
    }
  });

  test('a file that is not the run’s is not deleted, and the report says where it is', async () => {
    const target = sandbox.makeFolder('shared');
    const plan = sandbox.plan(`
data: { size: 4MiB }
target: { kind: file, path: ${target} }
stages: [{ write: {} }, { delete: { delay: 2s } }]
`);
    const run = cluster.start(plan, '--json');
    await run.event('stage-waiting', 'delete');
    const folder = join(target, run.runId);
    writeFileSync(join(folder, 'mine'), 'not yours');
    const { code, result } = await run.ended;
    expect(code).toBe(0);
    expect(sandbox.files(folder)).toEqual(['mine']);
    expect(result.leftBehind).toEqual([folder]);
  });
});
