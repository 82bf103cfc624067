/** Mixed stages on block devices, in repetitions and in sweeps; and what their sectors have to do with what is torn. */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, type TestContext, test } from 'vitest';
import type { Ended } from './support/command.js';
import { LoopDevice, missingForDevices } from './support/loop-device.js';
import { eventsOf, stageOf } from './support/messages.js';
import { Sandbox } from './support/sandbox.js';

const KiB = 1024;
const MiB = 1024 ** 2;
const missing = await missingForDevices();

function plan(target: string, stages: string, top = '', load = 'lanesPerAgent: 2, queueDepth: 8'): string {
  return `
data: { size: 16MiB, unit: 64KiB }
target: { ${target} }
load: { ${load} }
stages: [${stages}]
${top}
`;
}

/** A sandbox with an empty device of sectors of this size, for one test. */
async function withDevice(
  skip: TestContext['skip'],
  sectorBytes: number,
  body: (sandbox: Sandbox, device: LoopDevice) => Promise<void>,
): Promise<void> {
  skip(missing !== undefined, `skipped: needs ${missing}`);
  await using sandbox = new Sandbox();
  using device = LoopDevice.create(sandbox, 'device', 32 * MiB, `--sector-size=${sectorBytes}`);
  await body(sandbox, device);
}

function expectPassed({ code, stderr, stdout, result }: Ended): void {
  expect(code, stdout.slice(-3000) + stderr).toBe(0);
  expect(result).toMatchObject({ outcome: 'passed', findings: [] });
  for (const stage of result.stages) expect(stage, stage.label).toMatchObject({ complete: true, corruptBlocks: 0 });
}

describe('a block device', () => {
  test.for([512, 4096])('with sectors of %i bytes is mixed, verified, and mixed again', (sectorBytes, { skip }) =>
    withDevice(skip, sectorBytes, async (sandbox, device) => {
      const mixed = (more: string): string => `{ mixed: { read: 50, write: 50, block: 4KiB, ${more} } }`;
      const stages = `{ write: {} }, ${mixed('order: random')}, { verify: {} }, ${mixed('order: zipfian, duration: 2s')}, { verify: {} }, { write: {} }, { verify: {} }`;
      const text = plan(`kind: block, device: ${device.path}`, stages);
      const ended = await sandbox.run('run', sandbox.plan(text), '--agents', '2', '--json');
      expectPassed(ended);
      expect(stageOf(ended.result, 'mixed')).toMatchObject({ bytes: 16 * MiB, mixed: { operations: 4096 } });
      expect(device.read(16 * MiB, 16 * MiB).every((byte) => byte === 0)).toBe(true);
    }),
  );

  test('has a fault in overwritten data named by its offset on the device', ({ skip }) =>
    withDevice(skip, 512, async (sandbox, device) => {
      const all = '{ mixed: { write: 1, order: sequential, block: 4KiB } }';
      const stages = `{ write: {} }, ${all}, { generate: { delay: 1s } }, ${all}, { verify: { delay: 2s } }`;
      const text = plan(`kind: block, device: ${device.path}, offset: 4MiB, size: 16MiB`, stages);
      const command = sandbox.start('run', sandbox.plan(text), '--agents', '2', '--json');
      await command.event('stage-waiting', 'generate');
      const old = device.read(6 * MiB, 4 * KiB);
      await command.event('stage-waiting', 'verify');
      device.write(6 * MiB, old);
      device.write(9 * MiB, Buffer.alloc(8 * KiB));
      const { code, result, stderr } = await command.ended;
      expect(code, stderr).toBe(3);
      expect([...result.findings].sort((a, b) => a.offset - b.offset)).toMatchObject([
        { kind: 'stale', path: device.path, offset: 6 * MiB, length: 4 * KiB, generation: 1001, verdict: 'persistent' },
        { kind: 'zeroed', path: device.path, offset: 9 * MiB, length: 8 * KiB, generation: 1001 },
      ]);
      expect(stageOf(result, 'verify').corruptBlocks).toBeGreaterThan(0);
    }));
});

describe('an old 512 bytes between new ones', () => {
  const found = {
    512: { kind: 'stale', offset: 1 * MiB + 512, length: 512 },
    4096: { kind: 'torn', offset: 1 * MiB, length: 4096 },
  };
  const cases = ([512, 4096] as const).map((sectorBytes) => ({ sectorBytes, ...found[sectorBytes] }));
  const stages = '{ write: {} }, { write: { delay: 1s } }, { verify: { delay: 2s } }';

  test.for(cases)('are $kind on a device with sectors of $sectorBytes bytes', ({ sectorBytes, ...fault }, { skip }) =>
    withDevice(skip, sectorBytes, async (sandbox, device) => {
      const text = plan(`kind: block, device: ${device.path}`, stages);
      const command = sandbox.start('run', sandbox.plan(text), '--json');
      await command.event('stage-ended', 'write');
      const old = device.read(1 * MiB, 4 * KiB);
      await command.event('stage-waiting', 'verify');
      device.write(1 * MiB + 512, old.subarray(512, 1024));
      const { result } = await command.ended;
      expect(result.findings).toMatchObject([fault]);
    }),
  );

  test.for(cases)('are $kind in a file on a disk with sectors of $sectorBytes bytes', async (given, { skip }) => {
    const { sectorBytes, ...fault } = given;
    skip(missing !== undefined, `skipped: needs ${missing}`);
    await using sandbox = new Sandbox();
    const folder = sandbox.mountDisk('disk', 64 * MiB, sectorBytes);
    const text = plan(`kind: file, path: ${folder}, files: { count: 1 }`, stages);
    const command = sandbox.start('run', sandbox.plan(text), '--json');
    await command.event('stage-ended', 'write');
    const [path = ''] = sandbox.files(folder);
    const old = readFileSync(join(folder, path)).subarray(1 * MiB, 1 * MiB + 4 * KiB);
    await command.event('stage-waiting', 'verify');
    const file = openSync(join(folder, path), 'r+');
    writeSync(file, old, 512, 512, 1 * MiB + 512);
    closeSync(file);
    const { result } = await command.ended;
    expect(result.findings).toMatchObject([fault]);
  });
});

describe('mixed stages that are done several times', () => {
  const files = (target: string): string => `kind: file, path: ${target}, files: { count: 8 }`;

  test('in repetitions each goes on from what the one before left, and every block is verified in each', async () => {
    await using sandbox = new Sandbox();
    const stages = '{ write: {} }, { mixed: { write: 40, read: 60 } }, { mixed: { block: 16KiB } }, { verify: {} }';
    const text = plan(files(sandbox.target), stages, 'repeat: 3');
    const ended = await sandbox.run('run', sandbox.plan(text), '--agents', '2', '--json');
    expectPassed(ended);
    const mixed = ended.result.stages.filter(({ name }) => name === 'mixed');
    expect(mixed.map(({ repetition, mixed }) => [repetition, mixed?.operations])).toEqual(
      [1, 2, 3].flatMap((repetition) => [
        [repetition, 4096],
        [repetition, 1024],
      ]),
    );
    expect(ended.result.spreads.map(({ name }) => name)).toContain('mixed');
  });

  test('at each point of a sweep, of queue depths and block sizes, every block is verified', async () => {
    await using sandbox = new Sandbox();
    const stages = '{ write: {} }, { mixed: { write: 40, read: 60 } }, { verify: {} }';
    const sweep = 'sweep: { queueDepth: [1, 16], block: [4KiB, 64KiB] }';
    const text = plan(files(sandbox.target), stages, sweep, 'lanesPerAgent: 2');
    const ended = await sandbox.run('run', sandbox.plan(text), '--agents', '2', '--json');
    expectPassed(ended);
    expect(ended.result.sweep?.points).toHaveLength(4);
    expect(eventsOf(ended.lines, 'finding')).toEqual([]);
  });
});
