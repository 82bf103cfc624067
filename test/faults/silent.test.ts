/** A disk that changes bytes under the file system without a word: what is found, how it is named, and who saw it. */
import { readdirSync, readFileSync, renameSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import type { Ended } from '../support/command.js';
import { stageOf } from '../support/messages.js';
import { Sandbox } from '../support/sandbox.js';
import { Disk } from './disk.js';
import { onDisk } from './needs.js';

const KiB = 1024;
const MiB = 1024 ** 2;
const unitBytes = 256 * KiB;
const unitsPerFile = 8;

function plan(target: string, stages: string, io = ''): string {
  return `
data: { size: 32MiB, unit: 256KiB }
target: { kind: file, path: ${target}, files: { size: 2MiB }${io} }
stages: [${stages}]
`;
}

/** The path of a file of the one run in a target. */
function fileOf(target: string, number: number): string {
  // Beside it are the locks of the target.
  const [run = ''] = readdirSync(target).filter((name) => !name.startsWith('.'));
  return join(target, run, `f${String(number).padStart(8, '0')}`);
}

describe('a disk that silently changes what was written, and a tree of files that is mixed up', () => {
  let sandbox: Sandbox;
  let disk: Disk;
  let target: string;
  let ended: Ended;
  let beganMs: number;
  const faults = [
    { number: 1, kind: 'bit flip', offset: 9 * 4096, length: 512 },
    { number: 2, kind: 'zeroed', offset: unitBytes, length: 4096 },
    { number: 3, kind: 'misdirected', offset: 3 * unitBytes + 8192, length: 4096 },
    { number: 4, kind: 'torn', offset: 5 * unitBytes + 512, length: 512 },
    { number: 5, kind: 'stale', offset: 2 * unitBytes, length: unitBytes },
    { number: 6, kind: 'foreign', offset: 1024, length: 512 },
  ] as const;

  beforeAll(async () => {
    sandbox = new Sandbox();
    disk = Disk.make(sandbox, 'disk', { kind: 'ext4', megabytes: 128 });
    target = disk.target();
    beganMs = Date.now();
    const stages = '{ write: {} }, { write: { delay: 2s } }, { verify: { delay: 3s } }, { delete: {} }';
    const run = sandbox.start('run', sandbox.plan(plan(target, stages)), '--agents', '3', '--json');
    await run.event('stage-waiting', 'write');
    const old = disk.read(fileOf(target, 5), 2 * unitBytes, unitBytes);
    const oldHalf = disk.read(fileOf(target, 4), 5 * unitBytes + 512 + 256, 256);
    await run.event('stage-waiting', 'verify');
    const at = (number: number): string => fileOf(target, number);
    const flipped = disk.read(at(1), 9 * 4096 + 100, 1);
    disk.write(at(1), 9 * 4096 + 100, Buffer.from([(flipped[0] ?? 0) ^ 4]));
    disk.write(at(2), unitBytes, Buffer.alloc(4096));
    disk.write(at(3), 3 * unitBytes + 8192, disk.read(at(12), 4096, 4096));
    disk.write(at(4), 5 * unitBytes + 512 + 256, oldHalf);
    disk.write(at(5), 2 * unitBytes, old);
    disk.write(at(6), 1024, Buffer.alloc(512, 'not yours '));
    renameSync(at(8), `${at(8)}x`);
    renameSync(at(9), at(8));
    renameSync(`${at(8)}x`, at(9));
    Disk.dropCaches();
    ended = await run.ended;
  });
  afterAll(async () => {
    disk?.remove();
    await sandbox?.[Symbol.asyncDispose]();
  });

  onDisk('each fault has its right name, place and generation, and nothing else is reported', () => {
    expect(ended.code, ended.stderr).toBe(3);
    const swapped = [8, 9];
    for (const { number, kind, offset, length } of faults) {
      const unit = number * unitsPerFile + Math.floor(offset / unitBytes);
      expect(ended.result.findings.filter(({ object }) => object === number)).toMatchObject([
        { kind, path: fileOf(target, number), offset, length, unit, generation: 1 },
      ]);
    }
    const others = ended.result.findings.filter(({ object }) => !faults.some(({ number }) => number === object));
    expect(new Set(others.map(({ object, kind }) => `${kind} in ${object}`))).toEqual(
      new Set(swapped.map((number) => `misdirected in ${number}`)),
    );
    // Every byte of the files that were swapped is at the wrong place, and no byte is named twice.
    for (const number of swapped) {
      const found = others.filter(({ object }) => object === number);
      expect(found.reduce((sum, { length }) => sum + length, 0)).toBe(2 * MiB);
      expect(found[0]?.detail).toContain(`unit ${(17 - number) * unitsPerFile}, generation 1`);
    }
    const counted = stageOf(ended.result, 'verify').findingCounts.reduce((sum, { count }) => sum + count, 0);
    expect(counted).toBe(ended.result.findings.length);
  });

  onDisk('each fault tells who wrote it and when, who read it, and that others read the same', () => {
    const endedMs = Date.now();
    for (const found of ended.result.findings) {
      const { reader, writer, verdict, readers, host } = found;
      expect(host).toBe(hostname());
      expect([reader, writer]).toEqual([
        expect.stringMatching(/^agent-[123]$/u),
        expect.stringMatching(/^agent-[123]$/u),
      ]);
      expect(verdict).toBe('persistent');
      expect(readers).toHaveLength(2);
      expect(readers).toMatchObject([
        { agent: reader, host: hostname(), saw: 'same', direct: true },
        { agent: expect.stringMatching(/^agent-[123]$/u), saw: 'same', direct: true },
      ]);
      expect(readers[1]?.agent).not.toBe(reader);
      expect(found.writtenAfterUnixMs).toBeGreaterThan(beganMs);
      expect(found.writtenBeforeUnixMs).toBeGreaterThanOrEqual(found.writtenAfterUnixMs);
      expect(found.readUnixMs).toBeGreaterThan(found.writtenBeforeUnixMs);
      expect(found.readUnixMs).toBeLessThan(endedMs);
    }
  });

  onDisk('the bytes of each fault are kept on the host that read them, with all that is known of it', () => {
    const evidence = join(sandbox.home, '.seedstorm', 'evidence', ended.result.runId);
    expect(readdirSync(evidence)).toHaveLength(3 * ended.result.findings.length);
    expect(ended.result.evidenceSkipped).toBe(0);
    for (const found of ended.result.findings) {
      expect(found.evidence.startsWith(`${evidence}/`)).toBe(true);
      const actual = readFileSync(`${found.evidence}.actual`);
      const kept = Math.min(found.length, 64 * KiB);
      expect(actual.equals(readFileSync(found.path).subarray(found.offset, found.offset + kept))).toBe(true);
      const expected = readFileSync(`${found.evidence}.expected`);
      expect([expected.length, expected.equals(actual)]).toEqual([kept, false]);
      expect(JSON.parse(readFileSync(`${found.evidence}.json`, 'utf8'))).toMatchObject({
        run: ended.result.runId,
        kind: found.kind,
        path: found.path,
        offset: found.offset,
        unit: found.unit,
        expectedGeneration: 1,
        reader: { agent: found.reader, host: hostname() },
        verdict: 'persistent',
        written: { agent: found.writer },
        readers: [{ saw: 'same' }, { saw: 'same' }],
      });
    }
  });

  onDisk('the files that hold faults are left, each is named, and all others are deleted', () => {
    const numbers = [...faults.map(({ number }) => number), 8, 9];
    const paths = numbers.map((number) => fileOf(target, number));
    expect(ended.result.leftBehind).toEqual(paths);
    expect(ended.result.sparedObjects).toBe(paths.length);
    expect(sandbox.files(target).map((file) => join(target, file))).toEqual(paths);
  });
});

describe('a host that remembers what its disk does not hold', () => {
  let sandbox: Sandbox;
  let disk: Disk;
  beforeAll(() => {
    sandbox = new Sandbox();
    disk = Disk.make(sandbox, 'disk', { kind: 'ext4', megabytes: 128 });
  });
  afterAll(async () => {
    disk?.remove();
    await sandbox?.[Symbol.asyncDispose]();
  });

  onDisk(
    'a fault in its page cache is found, called transient, kept as evidence, and its file is not spared',
    async () => {
      const target = disk.target();
      const stages = '{ write: {} }, { verify: { delay: 3s } }, { delete: {} }';
      const text = plan(target, stages, ', io: { direct: false }');
      const kept = sandbox.makeFolder('kept');
      const run = sandbox.start('run', sandbox.plan(text), '--agents', '2', '--json', '--evidence', kept);
      await run.event('stage-waiting', 'verify');
      const file = fileOf(target, 7);
      const right = disk.read(file, 4096, 4096);
      // The disk goes wrong, the system reads that into its cache, and then the disk is right again.
      disk.write(file, 4096, Buffer.alloc(4096));
      Disk.dropCaches();
      expect(readFileSync(file).subarray(4096, 8192).equals(Buffer.alloc(4096))).toBe(true);
      disk.write(file, 4096, right);
      const { code, stderr, result } = await run.ended;
      expect(code, stderr).toBe(3);
      expect(result.findings).toMatchObject([
        { kind: 'zeroed', path: file, offset: 4096, length: 4096, verdict: 'transient' },
      ]);
      const [found] = result.findings;
      expect(found?.readers.map(({ saw, direct }) => ({ saw, direct }))).toEqual([
        { saw: 'right', direct: true },
        { saw: 'right', direct: true },
      ]);
      expect(found?.evidence.startsWith(`${kept}/${result.runId}/`)).toBe(true);
      expect(readFileSync(`${found?.evidence}.actual`).equals(Buffer.alloc(4096))).toBe(true);
      expect(readFileSync(`${found?.evidence}.expected`).equals(right)).toBe(true);
      expect([result.leftBehind, sandbox.files(target)]).toEqual([[], []]);
    },
  );
});
