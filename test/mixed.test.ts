/** Blocks that are read and overwritten in mid-run: what is in each of them is known and verified, whoever wrote it last. */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Cluster } from './support/cluster.js';
import type { Ended } from './support/command.js';
import { stageOf } from './support/messages.js';
import { signal } from './support/processes.js';
import { Sandbox } from './support/sandbox.js';

const KiB = 1024;
const MiB = 1024 ** 2;

function plan(target: string, stages: string, more = 'files: { count: 16 }'): string {
  return `
data: { size: 32MiB, unit: 256KiB }
target: { kind: file, path: ${target}, ${more} }
load: { lanesPerAgent: 2, queueDepth: 8 }
stages: [{ write: {} }, ${stages}]
`;
}

function expectPassed({ code, stderr, stdout, result }: Ended): void {
  expect(code, stdout.slice(-3000) + stderr).toBe(0);
  expect(result).toMatchObject({ outcome: 'passed', findings: [], leftBehind: [] });
  for (const stage of result.stages) expect(stage, stage.name).toMatchObject({ complete: true, corruptBlocks: 0 });
}

/** A block of the one run in a target. */
class Block {
  readonly #file: string;

  constructor(
    sandbox: Sandbox,
    private readonly offset: number,
    private readonly bytes = 4 * KiB,
  ) {
    const [first = ''] = sandbox.files(sandbox.target);
    this.#file = join(sandbox.target, first.split('/')[0] ?? '', 'f00000003');
  }

  read(): Buffer {
    return readFileSync(this.#file).subarray(this.offset, this.offset + this.bytes);
  }

  write(bytes: Buffer): void {
    const descriptor = openSync(this.#file, 'r+');
    writeSync(descriptor, bytes, 0, bytes.length, this.offset);
    closeSync(descriptor);
  }
}

describe('mixed stages', () => {
  test.each(['random', 'zipfian, theta: 1.1', 'sequential', 'strided, stride: 64KiB'])(
    'two agents mix in an order that is %s, and every block is verified while mixing and after it',
    async (order) => {
      await using sandbox = new Sandbox();
      const mixed = `{ mixed: { read: 50, write: 50, order: ${order} } }`;
      const stages = `${mixed}, { verify: {} }, { write: {} }, { mixed: { block: 16KiB, write: 1 } }, { verify: {} }, { delete: {} }`;
      const command = sandbox.start('run', sandbox.plan(plan(sandbox.target, stages)), '--agents', '2', '--json');
      const ended = await command.ended;
      expectPassed(ended);
      const first = stageOf(ended.result, 'mixed');
      expect(first).toMatchObject({ bytes: 32 * MiB, mixed: { operations: 8192, operationsInDoubt: 0 } });
      const { verifiedBytes = 0, writtenBytes = 0 } = first.mixed ?? {};
      expect(verifiedBytes + writtenBytes).toBe(32 * MiB);
      expect(writtenBytes / (32 * MiB)).toBeCloseTo(0.5, 1);
      expect(first.agents.every(({ unitsDone }) => unitsDone > 0)).toBe(true);
      expect(first.classes.map(({ operation }) => operation).sort()).toEqual(['read', 'write']);
      for (const stage of ended.result.stages) expect(stage.cellsInDoubt).toBe(0);
    },
  );

  test('one shared file, by time: the rounds of all agents go on from each other', async () => {
    await using sandbox = new Sandbox();
    const stages = '{ mixed: { duration: 2s } }, { mixed: { write: 1, amount: 8MiB } }, { verify: {} }, { delete: {} }';
    const text = plan(sandbox.target, stages, 'files: { count: 1 }, align: 512KiB');
    const ended = await sandbox.start('run', sandbox.plan(text), '--agents', '2', '--json').ended;
    expectPassed(ended);
    expect(stageOf(ended.result, 'mixed').mixed?.operations).toBeGreaterThan(100);
    expect(stageOf(ended.result, 'verify').cellsInDoubt).toBe(0);
  });

  test('the memory of agents can be mixed too', async () => {
    await using sandbox = new Sandbox();
    const text = `
data: { size: 8MiB, unit: 64KiB, dedup: { ratio: 2 } }
target: { kind: memory }
stages: [{ write: {} }, { mixed: {} }, { verify: {} }]
`;
    const ended = await sandbox.start('run', sandbox.plan(text), '--agents', '2', '--json').ended;
    expectPassed(ended);
    expect(ended.result.notes.join('\n')).toContain('not exactly the dedup ratio');
  });

  test('a block that lost its last write is stale, and is named by what it holds and by what it should', async () => {
    await using sandbox = new Sandbox();
    const all = '{ mixed: { write: 1, order: sequential, amount: 32MiB } }';
    const stages = `{ generate: { delay: 1s } }, ${all}, { generate: { delay: 1s } }, ${all}, { verify: { delay: 1s } }, { delete: {} }`;
    const command = sandbox.start('run', sandbox.plan(plan(sandbox.target, stages)), '--agents', '2', '--json');
    await command.event('stage-ended', 'write');
    const lost = new Block(sandbox, 1 * MiB);
    const old = new Block(sandbox, 64 * KiB);
    const written = lost.read();
    await command.event('stage-ended', 'mixed');
    const overwritten = old.read();
    await command.progress('verify', () => true, 'verify begins');
    lost.write(written);
    old.write(overwritten);
    const { code, result, stderr } = await command.ended;
    expect(code, stderr).toBe(3);
    const findings = [...result.findings].sort((a, b) => a.offset - b.offset);
    expect(findings).toMatchObject([
      { kind: 'stale', offset: 64 * KiB, length: 4 * KiB, generation: 1001, verdict: 'persistent' },
      { kind: 'stale', offset: 1 * MiB, length: 4 * KiB, generation: 1001, verdict: 'persistent' },
    ]);
    expect(findings[0]?.detail).toContain('1000');
  });

  test('an agent that is killed in mid-mixed costs nothing but time: others go on from what it reported', async () => {
    await using sandbox = new Sandbox();
    const text = `
data: { size: 64MiB, unit: 256KiB }
target: { kind: file, path: ${sandbox.target}, files: { count: 64 }, io: { sync: block } }
load: { lanesPerAgent: 1, queueDepth: 4 }
stages: [{ write: {} }, { mixed: { write: 60, read: 40, block: 4KiB } }, { verify: {} }, { delete: {} }]
`;
    const command = sandbox.start('run', sandbox.plan(text), '--agents', '3', '--json');
    const name = await command.midStage('mixed');
    signal(sandbox.agent(name).pid, 'SIGKILL');
    await command.event('lease-handed-over', 'mixed');
    const ended = await command.ended;
    expectPassed(ended);
    expect(stageOf(ended.result, 'mixed')).toMatchObject({ mixed: { operations: 16_384, operationsInDoubt: 0 } });
    expect(stageOf(ended.result, 'verify').cellsInDoubt).toBe(0);
  });

  test('what a killed agent may have overwritten, and nobody did again, is indeterminate and never wrong', async () => {
    await using sandbox = new Sandbox();
    const cluster = await Cluster.start(sandbox, 4);
    const mixed = '{ mixed: { write: 60, read: 40, duration: 4s } }';
    const again = '{ mixed: { write: 1, order: sequential } }';
    const stages = `${mixed}, { verify: {} }, ${again}, { verify: {} }, { delete: {} }`;
    const text = plan(sandbox.target, stages, 'files: { count: 16 }, io: { sync: block }');
    // Nobody takes over before the stage's time is over.
    const command = cluster.start(sandbox.plan(`control: { lease: 10s, settleTimeout: 2s }\n${text}`), '--json');
    await command.progress('mixed', ({ operationsPerSecond }) => operationsPerSecond > 0, 'mixing');
    cluster.agent('agent-1').signal('SIGKILL');
    const ended = await command.ended;
    expectPassed(ended);
    const [first, second] = ended.result.stages.filter(({ name }) => name === 'verify');
    expect(stageOf(ended.result, 'mixed').mixed?.operationsInDoubt).toBeGreaterThan(0);
    expect(first?.cellsInDoubt).toBeGreaterThan(0);
    expect(second?.cellsInDoubt).toBe(0);
  });
});
