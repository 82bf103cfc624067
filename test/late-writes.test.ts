/** Old content where an agent was lost and waited for in vain: told as what it may be, and as no corruption. */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Cluster } from './support/cluster.js';
import type { Command } from './support/command.js';
import { type ProgressLine, stageOf } from './support/messages.js';
import { Sandbox } from './support/sandbox.js';

const KiB = 1024;
const MiB = 1024 ** 2;
const unitBytes = 64 * KiB;
const units = (16 * MiB) / unitBytes;
const unitsPerFile = units / 16;

/** 16 MiB in 16 files; the stage that an agent dies in is slow enough for that. */
function plan(target: string, stages: string, sync = 'range'): string {
  return `
control: { lease: 2s, settleTimeout: 1s }
data: { size: 16MiB, unit: 64KiB }
target: { kind: file, path: ${target}, files: { count: 16 }, io: { block: 64KiB, sync: ${sync} } }
load: { lanesPerAgent: 1, queueDepth: 1 }
stages: [${stages}]
`;
}

/** The units of the one run in a sandbox's target. */
class Units {
  constructor(private readonly sandbox: Sandbox) {}

  read(unit: number): Buffer {
    const at = (unit % unitsPerFile) * unitBytes;
    return readFileSync(this.#file(unit)).subarray(at, at + unitBytes);
  }

  write(unit: number, bytes: Buffer, offset = 0): void {
    const file = openSync(this.#file(unit), 'r+');
    writeSync(file, bytes, 0, bytes.length, (unit % unitsPerFile) * unitBytes + offset);
    closeSync(file);
  }

  #file(unit: number): string {
    const [first = ''] = this.sandbox.files();
    const number = String(Math.floor(unit / unitsPerFile)).padStart(8, '0');
    return join(this.sandbox.target, first.split('/')[0] ?? '', `f${number}`);
  }
}

/** Kills an agent in the middle of a stage, and gives the units of its leases once they were taken from it. */
async function loseAgent(cluster: Cluster, command: Command, stage: number): Promise<Set<number>> {
  const works = ({ name, bytesPerSecond }: { name: string; bytesPerSecond: number }): boolean =>
    name === 'agent-1' && bytesPerSecond > 0;
  const isAtWork = (progress: ProgressLine): progress is ProgressLine =>
    progress.stage === stage && progress.agents.some(works);
  await command.line(
    (line): line is ProgressLine => line.type === 'progress' && isAtWork(line),
    'progress of the agent that is to die',
  );
  cluster.agent('agent-1').signal('SIGKILL');
  await command.event('lease-handed-over');
  const lost = new Set<number>();
  for (const [, first, last] of command.stdout.matchAll(/units (\d+)…(\d+) of agent-1 are handed over/gu))
    for (let unit = Number(first); unit <= Number(last); unit++) lost.add(unit);
  return lost;
}

describe('after an agent was lost and waited for in vain', () => {
  test('what it may have written late is indeterminate, and what it cannot have written is a fault', async () => {
    await using sandbox = new Sandbox();
    const cluster = await Cluster.start(sandbox, 4);
    const stages =
      '{ write: {} }, { write: { rate: 4MiB/s } }, { generate: { delay: 1s } }, { write: {} }, { verify: { delay: 2s } }, { delete: {} }';
    const command = cluster.start(sandbox.plan(plan(sandbox.target, stages)), '--json');
    const lost = await loseAgent(cluster, command, 1);
    await command.event('stage-waiting', 'generate');
    const at = new Units(sandbox);
    const [late = 0] = lost;
    const other = Array.from({ length: units }, (_, unit) => unit).findLast((unit) => !lost.has(unit)) ?? 0;
    const [oldOfLate, oldOfOther] = [at.read(late), at.read(other)];
    await command.event('stage-waiting', 'verify');
    at.write(late, oldOfLate.subarray(0, 8 * KiB));
    // Half of a sector: no time explains that.
    at.write(late, oldOfLate.subarray(32 * KiB, 32 * KiB + 256), 32 * KiB);
    at.write(other, oldOfOther.subarray(0, 8 * KiB));
    const { code, result, stderr, stdout } = await command.ended;
    expect(code, stderr + stdout.slice(-2000)).toBe(3);
    const found = [...result.findings].sort((a, b) => a.kind.localeCompare(b.kind));
    expect(found).toMatchObject([
      { kind: 'stale', unit: other, length: 8 * KiB, generation: 2 },
      { kind: 'torn', unit: late, length: 512, generation: 2 },
    ]);
    expect(result.indeterminate).toMatchObject([
      {
        kind: 'indeterminate',
        unit: late,
        length: 8 * KiB,
        generation: 2,
        detail: 'it holds generation 1: possible late write by agent-1',
      },
    ]);
    const verify = stageOf(result, 'verify');
    expect(verify).toMatchObject({ indeterminatePlaces: 1, corruptBlocks: 2 });
    expect(verify.findingCounts.map(({ kind }) => kind).sort()).toEqual(['stale', 'torn']);
  });

  test('what it wrote without a sync may never have come to the storage: what was there before is indeterminate', async () => {
    await using sandbox = new Sandbox();
    const cluster = await Cluster.start(sandbox, 4);
    const stages =
      '{ write: {} }, { generate: { delay: 1s } }, { write: { rate: 4MiB/s } }, { verify: { delay: 2s } }, { delete: {} }';
    const text = `assign: static\n${plan(sandbox.target, stages, 'never')}`;
    const command = cluster.start(sandbox.plan(text), '--json');
    await command.event('stage-waiting', 'generate');
    const at = new Units(sandbox);
    const before = Array.from({ length: units }, (_, unit) => at.read(unit));
    await command.event('stage-ended', 'generate');
    const lost = await loseAgent(cluster, command, 2);
    await command.event('stage-waiting', 'verify');
    // Shares are dealt out in order: of the agent's, the first unit was done first.
    const first = Math.min(...lost);
    at.write(first, before[first] ?? Buffer.alloc(0));
    const { code, result, stderr, stdout } = await command.ended;
    expect(code, stderr + stdout.slice(-2000)).toBe(0);
    expect(result.stages[2]?.unitsIndeterminate).toBeGreaterThan(0);
    expect(result.indeterminate).toMatchObject([
      { unit: first, generation: 1, detail: 'it holds generation 0: perhaps never made durable by agent-1' },
    ]);
  });

  test('an overwrite of one block that may be its late one fails no run', async () => {
    await using sandbox = new Sandbox();
    const cluster = await Cluster.start(sandbox, 4);
    const sequential = 'write: 1, order: sequential, block: 64KiB';
    const stages = `{ write: {} }, { mixed: { ${sequential} } }, { generate: { delay: 1s } }, { mixed: { ${sequential}, rate: 4MiB/s } }, { verify: { delay: 2s } }, { delete: {} }`;
    const command = cluster.start(sandbox.plan(plan(sandbox.target, stages)), '--json');
    await command.event('stage-waiting', 'generate');
    const at = new Units(sandbox);
    const before = Array.from({ length: units }, (_, unit) => at.read(unit));
    await command.event('stage-ended', 'generate');
    const [late = 0] = await loseAgent(cluster, command, 3);
    await command.event('stage-waiting', 'verify');
    at.write(late, before[late] ?? Buffer.alloc(0));
    const { code, result, stderr, stdout } = await command.ended;
    expect(code, stderr + stdout.slice(-2000)).toBe(0);
    expect(result).toMatchObject({ outcome: 'passed', findings: [], leftBehind: [] });
    expect(result.indeterminate).toMatchObject([{ unit: late, length: unitBytes, generation: 1001 }]);
    expect(result.indeterminate[0]?.detail).toBe('it holds generation 1000: possible late write by agent-1');
    expect(stageOf(result, 'verify')).toMatchObject({ indeterminatePlaces: 1, corruptBlocks: 0, complete: true });
  });
});
