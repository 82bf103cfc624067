/** Storage that gives back something else than it was given: what the report says of it, and what is kept as evidence. */
import { closeSync, copyFileSync, openSync, readFileSync, rmSync, statSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster } from './support/cluster.js';
import type { Ended } from './support/command.js';
import { expectNoTrace } from './support/errors.js';
import { eventsOf, stageOf } from './support/messages.js';
import { Sandbox } from './support/sandbox.js';

const KiB = 1024;
const MiB = 1024 ** 2;
const unitBytes = 256 * KiB;
const unitsPerFile = 8;
const files = 16;

function plan(target: string, stages = '{ write: {} }, { verify: { delay: 2s } }, { delete: {} }'): string {
  return `
data: { size: ${files * 2}MiB, unit: 256KiB, dedup: { ratio: 1.2, window: 4 }, compress: { ratio: 1.5 } }
target: { kind: file, path: ${target}, files: { size: 2MiB } }
stages: [${stages}]
`;
}

/** The files of the one run in a target, by their number. */
class RunFolder {
  readonly #folder: string;

  constructor(sandbox: Sandbox, target: string) {
    const [first = ''] = sandbox.files(target);
    this.#folder = join(target, first.split('/')[0] ?? '');
  }

  file(number: number): string {
    return join(this.#folder, `f${String(number).padStart(8, '0')}`);
  }

  read(number: number, offset: number, length: number): Buffer {
    return readFileSync(this.file(number)).subarray(offset, offset + length);
  }

  write(number: number, offset: number, bytes: Buffer): void {
    const descriptor = openSync(this.file(number), 'r+');
    writeSync(descriptor, bytes, 0, bytes.length, offset);
    closeSync(descriptor);
  }

  flip(number: number, offset: number, bits: number): void {
    const byte = this.read(number, offset, 1);
    this.write(number, offset, Buffer.from([(byte[0] ?? 0) ^ bits]));
  }
}

/** Bytes that no content function made: a sequence that a person can read. */
function garbage(length: number): Buffer {
  return Buffer.alloc(length, 'the quick brown fox jumps over the lazy dog; ');
}

describe('one byte of one file that is flipped between write and verify', () => {
  const at = 1_000_000;
  const flipped = 5;
  let sandbox: Sandbox;
  let ended: Ended;
  let faulty: string;

  beforeAll(async () => {
    sandbox = new Sandbox();
    const run = sandbox.start('run', sandbox.plan(plan(sandbox.target)), '--agents', '3', '--json');
    await run.event('stage-ended', 'write');
    const folder = new RunFolder(sandbox, sandbox.target);
    faulty = folder.file(flipped);
    folder.flip(flipped, at, 0xff);
    ended = await run.ended;
  });
  afterAll(() => sandbox[Symbol.asyncDispose]());

  test('ends the run with exit code 3, though all stages were done', () => {
    expect(ended.code, ended.stderr).toBe(3);
    expect(ended.result.outcome).toBe('corrupt');
    expect(ended.result.error).toBeUndefined();
    for (const stage of ended.result.stages) expect(stage).toMatchObject({ complete: true, errors: 0 });
    const { corruptBlocks, findingCounts } = stageOf(ended.result, 'verify');
    expect({ corruptBlocks, findingCounts }).toEqual({
      corruptBlocks: 1,
      findingCounts: [{ kind: 'bit flip', count: 1 }],
    });
  });

  test('is found: the report names the file, the offset, the unit, who wrote it and who read it', () => {
    const sector = Math.floor(at / 512) * 512;
    expect(ended.result.findings).toMatchObject([
      {
        kind: 'bit flip',
        path: faulty,
        offset: sector,
        length: 512,
        unit: flipped * unitsPerFile + Math.floor(at / unitBytes),
        generation: 0,
        detail: `8 bits differ, the first at offset ${at}`,
      },
    ]);
    const [finding] = ended.result.findings;
    expect(finding?.reader).toMatch(/^agent-[123]$/u);
    expect(finding?.writer).toMatch(/^agent-[123]$/u);
    expect(finding?.reader).not.toBe(finding?.writer);
    const [event] = eventsOf(ended.lines, 'finding');
    expect(event).toMatchObject({ level: 'error', stageName: 'verify' });
    expect(event?.text).toContain(`bit flip in ${faulty} at offset ${sector}`);
  });

  test('is kept as evidence, and nothing else is', () => {
    expect(ended.result.leftBehind).toEqual([faulty]);
    expect(sandbox.files().map((file) => join(sandbox.target, file))).toEqual([faulty]);
    expect(statSync(faulty).size).toBe(2 * MiB);
    expect(sandbox.processes()).toEqual([]);
  });
});

describe('on agents that an administrator started', () => {
  let sandbox: Sandbox;
  let cluster: Cluster;

  beforeAll(async () => {
    sandbox = new Sandbox();
    cluster = await Cluster.start(sandbox, 2);
  });
  afterAll(async () => {
    await cluster.stop();
    await sandbox[Symbol.asyncDispose]();
  });

  /** What is done to which file, and what has to be said of it. */
  const faults = [
    {
      kind: 'zeroed',
      number: 1,
      harm: (folder: RunFolder) => folder.write(1, 7 * 4096, Buffer.alloc(4096)),
      offset: 7 * 4096,
      length: 4096,
      detail: '',
    },
    {
      kind: 'truncated',
      number: 3,
      harm: (folder: RunFolder) => truncateSync(folder.file(3), MiB + 4096),
      offset: MiB + 4096,
      length: MiB - 4096,
      detail: `the file has ${MiB + 4096} bytes`,
    },
    {
      kind: 'missing',
      number: 4,
      harm: (folder: RunFolder) => rmSync(folder.file(4)),
      offset: 0,
      length: 2 * MiB,
      detail: '',
    },
    {
      kind: 'misdirected',
      number: 6,
      harm: (folder: RunFolder) => folder.write(6, 2 * unitBytes, folder.read(8, 3 * 4096, 8192)),
      offset: 2 * unitBytes,
      length: 8192,
      detail: /^it holds what belongs at byte 12288 of unit(s \d+.*| )64\b.*, generation 0$/u,
    },
    {
      kind: 'torn',
      number: 7,
      harm: (folder: RunFolder) => folder.write(7, unitBytes + 1024 + 256, folder.read(10, unitBytes + 1280, 256)),
      offset: unitBytes + 1024,
      length: 512,
      detail: new RegExp(
        `^bytes ${unitBytes + 1024} to ${unitBytes + 1279}: right; ` +
          `bytes ${unitBytes + 1280} to ${unitBytes + 1535}: ` +
          'what belongs at byte 1280 of unit (\\d+ or )*81\\b( or \\d+)*, generation 0$',
        'u',
      ),
    },
    {
      kind: 'foreign',
      number: 9,
      harm: (folder: RunFolder) => folder.write(9, 8192, garbage(4096)),
      offset: 8192,
      length: 4096,
      detail: '',
    },
    {
      kind: 'bit flip',
      number: 15,
      harm: (folder: RunFolder) => folder.flip(15, 2 * MiB - 1, 1),
      offset: 2 * MiB - 512,
      length: 512,
      detail: `1 bit differs, the first at offset ${2 * MiB - 1}`,
    },
  ];
  const there = faults.filter(({ kind }) => kind !== 'missing');

  test('each fault has its right name, place and evidence in --json', async () => {
    const target = sandbox.makeFolder('json');
    const run = cluster.start(sandbox.plan(plan(target)), '--json');
    await run.event('stage-ended', 'write');
    const folder = new RunFolder(sandbox, target);
    for (const { harm } of faults) harm(folder);
    const { code, stderr, result } = await run.ended;
    expect(code, stderr).toBe(3);
    expect(result.findings).toHaveLength(faults.length);
    for (const { kind, number, offset, length, detail } of faults) {
      expect(result.findings.filter(({ object }) => object === number)).toMatchObject([
        {
          kind,
          path: folder.file(number),
          offset,
          length,
          unit: number * unitsPerFile + Math.floor(offset / unitBytes),
          detail: detail instanceof RegExp ? expect.stringMatching(detail) : detail,
          verdict: 'persistent',
          readers: [{ saw: 'same' }, { saw: 'same' }],
        },
      ]);
    }
    const counts = stageOf(result, 'verify').findingCounts.sort((a, b) => (a.kind < b.kind ? -1 : 1));
    expect(counts).toEqual(faults.map(({ kind }) => ({ kind, count: 1 })).sort((a, b) => (a.kind < b.kind ? -1 : 1)));
    expect(result.leftBehind).toEqual(there.map(({ number }) => folder.file(number)));
    expect(sandbox.files(target).map((file) => join(target, file))).toEqual(result.leftBehind);
  });

  test('each fault has its right name and place in the report for people', async () => {
    const target = sandbox.makeFolder('text');
    const run = cluster.start(sandbox.plan(plan(target)));
    await run.said(/write is complete/u);
    const folder = new RunFolder(sandbox, target);
    for (const { harm } of faults) harm(folder);
    const ended = await run.ended;
    expect(ended.code, ended.stderr).toBe(3);
    expect(ended.stdout).toMatch(/^run \S+: corrupt in /mu);
    for (const { kind, number, offset, length } of faults) {
      const line = ended.stdout.split('\n').find((each) => each.includes(`: ${folder.file(number)} `));
      const unit = number * unitsPerFile + Math.floor(offset / unitBytes);
      expect(line).toMatch(new RegExp(`^ {2}${kind}( \\(.*\\))?: `, 'u'));
      expect(line).toContain(`at offset ${offset}, ${length} bytes, unit ${unit}, generation 0; read by agent-`);
      expect(ended.stdout).toMatch(new RegExp(`^faults found: .*1 × ${kind} in verify`, 'mu'));
    }
    const left = ended.stdout.split('\n').filter((line) => line.startsWith('left on the target: '));
    expect(left).toEqual(there.map(({ number }) => `left on the target: ${folder.file(number)}`));
    expectNoTrace(ended);
  });

  test('a file that an old state of the storage brings back is called stale, with its generation', async () => {
    const target = sandbox.makeFolder('stale');
    const stages = '{ write: {} }, { write: { delay: 2s } }, { verify: { delay: 2s } }, { delete: {} }';
    const run = cluster.start(sandbox.plan(plan(target, stages)), '--json');
    await run.event('stage-ended', 'write');
    const folder = new RunFolder(sandbox, target);
    const old = join(sandbox.folder, 'old');
    copyFileSync(folder.file(2), old);
    await run.event('stage-waiting', 'verify');
    copyFileSync(old, folder.file(2));
    const { code, stderr, result } = await run.ended;
    expect(code, stderr).toBe(3);
    expect(result.findings.length).toBeGreaterThan(0);
    for (const { kind, path, generation, detail } of result.findings) {
      expect({ kind, path, generation }).toEqual({ kind: 'stale', path: folder.file(2), generation: 1 });
      expect(detail).toMatch(/generation 0/u);
    }
    expect(result.findings.reduce((sum, { length }) => sum + length, 0)).toBe(2 * MiB);
    expect(result.leftBehind).toEqual([folder.file(2)]);
  });

  test('faults in a run that is stopped or fails later are kept too', async () => {
    const target = sandbox.makeFolder('stopped');
    const stages = '{ write: {} }, { verify: { delay: 2s } }, { read: { delay: 1h } }';
    const run = cluster.start(sandbox.plan(plan(target, stages)), '--json');
    await run.event('stage-ended', 'write');
    const folder = new RunFolder(sandbox, target);
    folder.flip(7, 0, 1);
    await run.event('stage-waiting', 'read');
    run.signal('SIGINT');
    const { code, result } = await run.ended;
    expect(code).toBe(3);
    expect(result).toMatchObject({ outcome: 'corrupt', leftBehind: [folder.file(7)] });
    expect(sandbox.files(target).map((file) => join(target, file))).toEqual([folder.file(7)]);
  });
});
