/** A tree of small files: its whole life on a real folder, who dies in it, who stops it, and what is wrong in it. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { type Ended, root } from './support/command.js';
import { eventsOf, stageOf } from './support/messages.js';
import { signal } from './support/processes.js';
import type { Sandbox } from './support/sandbox.js';
import { test } from './support/test.js';

/** A tree in the sandbox's target, with these stages. */
function tree(sandbox: Sandbox, keys: string, stages: string, more = ''): string {
  return sandbox.plan(`
data: {}
target: { kind: file, path: ${sandbox.target}, tree: { ${keys} }, io: { sync: never } }
${more}
stages: [${stages}]
`);
}

function expectPassed({ code, stdout, stderr, result }: Ended): void {
  expect(code, stdout.slice(-3000) + stderr).toBe(0);
  expect(result).toMatchObject({ outcome: 'passed', findings: [], leftBehind: [] });
  for (const stage of result.stages) expect(stage, stage.name).toMatchObject({ complete: true, errors: 0 });
}

/** A plan of `examples/` on the sandbox's target, with fewer files. */
function example(sandbox: Sandbox, name: string, from: string, to: string): string {
  const text = readFileSync(join(root, 'examples', name), 'utf8');
  expect(text).toContain(from);
  return sandbox.plan(text.replace('/mnt/scratch', sandbox.target).replace(from, to));
}

describe('a tree of small files', () => {
  test('lives its whole life with two agents, and every stage tells its rate', async ({ sandbox }) => {
    const stages =
      '{ mkdir: {} }, { create: {} }, { stat: {} }, { list: {} }, { rename: { into: next } }, { verify: {} }, { rename: {} }, { stat: {} }, { read: {} }, { list: {} }, { delete: {} }';
    const plan = tree(sandbox, 'directories: 60, filesPerDirectory: 50, fileSize: 5000, branching: 6', stages);
    const ended = await sandbox.start('run', plan, '--agents', '2', '--json').ended;
    expectPassed(ended);
    for (const stage of ended.result.stages) {
      expect(stage.unitsDone, stage.name).toBe(3000);
      expect(stage.operationsPerSecond, stage.name).toBeGreaterThan(0);
      expect(stage.latency?.p99Ns, stage.name).toBeGreaterThan(0);
      expect(stage.queues, stage.name).toMatchObject({ engines: ['calls'], depth: 1, greatestPerLane: 1 });
      const moves = ['create', 'verify', 'read'].includes(stage.name);
      expect(stage.bytes, stage.name).toBe(moves ? 3000 * 5000 : 0);
    }
    const operations = (name: string): number => {
      const { operationsPerSecond, durationNs } = stageOf(ended.result, name);
      return Math.round((operationsPerSecond * durationNs) / 1e9);
    };
    expect(['mkdir', 'create', 'stat', 'list', 'rename', 'delete'].map(operations)).toEqual([
      60, 3000, 3000, 3060, 3000, 3000,
    ]);
    expect(stageOf(ended.result, 'list')).toMatchObject({ folders: 61, foreign: 0 });
    sandbox.expectNothingLeft();
  });

  test('as mdtest-easy and mdtest-hard of IO500 have it runs from the examples', async ({ sandbox }) => {
    const easy = example(
      sandbox,
      'mdtest-easy.yaml',
      'directories: 1000, filesPerDirectory: 10000',
      'directories: 40, filesPerDirectory: 50',
    );
    const shown = await sandbox.start('run', easy, '--agents', '2').ended;
    expect(shown.code, shown.stdout + shown.stderr).toBe(0);
    expect(shown.stdout).toMatch(/^create: [\d,]+ files created a second, 2,000 in \d/mu);
    expect(shown.stdout).toMatch(/^stat: [\d,]+ files looked at a second, 2,000 in \d/mu);
    expect(shown.stdout).toMatch(/^delete: [\d,]+ files deleted a second, 2,000 in \d/mu);
    const hard = example(sandbox, 'mdtest-hard.yaml', 'filesPerDirectory: 10000000', 'filesPerDirectory: 3000');
    const ended = await sandbox.start('run', hard, '--agents', '2', '--json').ended;
    expectPassed(ended);
    expect(stageOf(ended.result, 'verify')).toMatchObject({ bytes: 3000 * 3901, corruptBlocks: 0 });
    // Where all work in one directory, both agents do.
    for (const agent of stageOf(ended.result, 'create').agents) expect(agent.unitsDone, agent.name).toBeGreaterThan(0);
    sandbox.expectNothingLeft();
  });

  test('survives the death of an agent in mid-create: no file is missed, none counted twice', async ({ sandbox }) => {
    const stages = '{ mkdir: {} }, { create: {} }, { stat: {} }, { verify: {} }, { list: {} }, { delete: {} }';
    const plan = tree(
      sandbox,
      'directories: 1, filesPerDirectory: 150000, fileSize: 3901',
      stages,
      'load: { lanesPerAgent: 1 }\ncontrol: { lease: 60s }',
    );
    const run = sandbox.start('run', plan, '--agents', '2', '--json');
    const name = await run.midStage('create');
    signal(sandbox.agent(name).pid, 'SIGKILL');
    await run.event('lease-handed-over', 'create');
    const ended = await run.ended;
    expectPassed(ended);
    expect(ended.result).toMatchObject({ agentsSeen: 2, agentsLost: 1 });
    for (const stage of ended.result.stages)
      expect(stage, stage.name).toMatchObject({ unitsDone: 150_000, units: 150_000 });
    const { operationsPerSecond, durationNs } = stageOf(ended.result, 'create');
    expect(Math.round((operationsPerSecond * durationNs) / 1e9)).toBe(150_000);
    sandbox.expectNothingLeft();
  });

  test.for(['create', 'rename', 'delete'])('that is stopped in mid-%s leaves nothing', async (stage, { sandbox }) => {
    const plan = tree(
      sandbox,
      'directories: 1000, filesPerDirectory: 200, branching: 7',
      '{ mkdir: {} }, { create: {} }, { rename: { into: next } }, { stat: {} }, { delete: {} }',
      'load: { lanesPerAgent: 1 }',
    );
    const run = sandbox.start('run', plan, '--agents', '2', '--json');
    // Deleting is over in a second: its first progress may come too late.
    await (stage === 'delete' ? run.event('stage-started', stage) : run.midStage(stage));
    run.signalGroup('SIGINT');
    const ended = await run.ended;
    expect(ended.code, ended.stderr).toBe(130);
    expect(ended.result).toMatchObject({ outcome: 'cancelled', leftBehind: [] });
    sandbox.expectNothingLeft();
  });

  test('of which a file is gone, one is cut and one is strange, is told by stat and list, and ends with 3', async ({
    sandbox,
  }) => {
    const plan = tree(
      sandbox,
      'directories: 4, filesPerDirectory: 25, fileSize: 3901',
      '{ mkdir: {} }, { create: {} }, { stat: { delay: 3s } }, { list: {} }, { delete: {} }',
    );
    const run = sandbox.start('run', plan, '--agents', '2', '--json');
    await run.event('stage-ended', 'create');
    const directory = (number: number) => join(sandbox.target, run.runId, `d0000000${number}`);
    rmSync(join(directory(1), 'f00000030'));
    writeFileSync(join(directory(2), 'f00000060'), 'short');
    writeFileSync(join(directory(3), 'strange'), '');
    const ended = await run.ended;
    expect(ended.code, ended.stdout + ended.stderr).toBe(3);
    const found = ended.result.findings.map(({ kind, path, verdict }) => [kind, path, verdict]);
    expect(found.sort()).toEqual([
      ['missing', join(directory(1), 'f00000030'), 'persistent'],
      ['missing', join(directory(1), 'f00000030'), 'persistent'],
      ['truncated', join(directory(2), 'f00000060'), 'persistent'],
    ]);
    expect(stageOf(ended.result, 'stat').findingCounts).toHaveLength(2);
    expect(stageOf(ended.result, 'list')).toMatchObject({ foreign: 1 });
    expect(ended.result.notes.join('\n')).toContain(`${join(directory(3), 'strange')} is not of this run`);
    // What is wrong is evidence, and what is strange is not ours.
    expect(readdirSync(directory(2))).toEqual(['f00000060']);
    expect(readdirSync(directory(3))).toEqual(['strange']);
    expect(eventsOf(ended.lines, 'finding').length).toBeGreaterThan(0);
  });
});

describe('large files', () => {
  test('are looked at and listed by their names too', async ({ sandbox }) => {
    const plan = sandbox.plan(`
data: { size: 8MiB, unit: 64KiB }
target: { kind: file, path: ${sandbox.target}, files: { count: 32 } }
stages: [{ write: {} }, { stat: {} }, { list: {} }, { delete: {} }]
`);
    const ended = await sandbox.start('run', plan, '--agents', '2', '--json').ended;
    expectPassed(ended);
    expect(stageOf(ended.result, 'stat')).toMatchObject({ bytes: 0, corruptBlocks: 0 });
    expect(stageOf(ended.result, 'list')).toMatchObject({ foreign: 0, folders: 1 });
  });
});
