/** Block devices: what is written there and verified, and above all what is never written to. On real loop devices. */
import { randomBytes } from 'node:crypto';
import { closeSync, constants, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, type TestContext, test } from 'vitest';
import { Cluster } from './support/cluster.js';
import type { Ended } from './support/command.js';
import { expectError } from './support/errors.js';
import { LoopDevice, missingForDevices, tool } from './support/loop-device.js';
import { stageOf } from './support/messages.js';
import { Sandbox } from './support/sandbox.js';

const MiB = 1024 ** 2;
const missing = await missingForDevices();
const all = '{ write: {} }, { verify: {} }, { delete: {} }';

/** A plan of 16 MiB on a device; `more` goes into the target. */
function plan(device: string, { more = '', stages = all, top = '', size = '16MiB' } = {}): string {
  return `
data: { size: ${size}, unit: 64KiB }
target: { kind: block, device: ${device}${more} }
stages: [${stages}]
${top}
`;
}

/** A sandbox with a device of 32 MiB, for one test. */
async function withDevice(
  skip: TestContext['skip'],
  body: (sandbox: Sandbox, device: LoopDevice) => Promise<void>,
  ...options: string[]
): Promise<void> {
  skip(missing !== undefined, `skipped: needs ${missing}`);
  await using sandbox = new Sandbox();
  using device = LoopDevice.create(sandbox, 'device', 32 * MiB, ...options);
  await body(sandbox, device);
}

/** What `seedstorm check` says that a device is. */
async function identityOf(sandbox: Sandbox, device: string): Promise<string> {
  const { stdout } = await sandbox.run('check', sandbox.plan(plan(device)), '--json');
  const answer: { agents: { checked: { identity: string } }[] } = JSON.parse(stdout);
  return answer.agents[0]?.checked.identity ?? '';
}

/** Gives a device a partition of 16 MiB from its first MiB on, by hand for kernels that read no tables. */
function partition(path: string): void {
  tool('sh', '-c', `printf 'label: gpt\n,16MiB\n' | sfdisk --quiet ${path}`);
  tool('partx', '--update', path);
}

function expectPassed({ code, stderr, result }: Ended): void {
  expect(code, stderr).toBe(0);
  expect(result.outcome).toBe('passed');
}

describe('a device that is empty', () => {
  test('is written by several agents and verified, and told to hold the data still', ({ skip }) =>
    withDevice(skip, async (sandbox, device) => {
      const stages = '{ write: {} }, { verify: {} }, { write: {} }, { verify: {} }, { read: {} }, { delete: {} }';
      const ended = await sandbox.run('run', sandbox.plan(plan(device.path, { stages })), '--agents', '2', '--json');
      expectPassed(ended);
      for (const name of ['write', 'verify', 'read', 'delete']) {
        expect(stageOf(ended.result, name)).toMatchObject({ complete: true, errors: 0, corruptBlocks: 0 });
      }
      expect(ended.result.leftBehind).toEqual([device.path]);
      expect(ended.result.notes.join()).toContain('delete removes nothing from a block device');
      expect(device.hash(0, 16 * MiB)).not.toBe(device.hash(16 * MiB));
      expect(device.read(16 * MiB, 16 * MiB).every((byte) => byte === 0)).toBe(true);
    }));

  test.for(['block', 'range', 'file', 'end', 'never'])('takes data under sync: %s', (sync, { skip }) =>
    withDevice(skip, async (sandbox, device) => {
      const more = `, io: { block: 16KiB, sync: ${sync} }`;
      const ended = await sandbox.run('run', sandbox.plan(plan(device.path, { more })), '--agents', '2', '--json');
      expectPassed(ended);
    }),
  );

  test('is written to in the part that the plan names, and nowhere else', ({ skip }) =>
    withDevice(skip, async (sandbox, device) => {
      device.write(0, randomBytes(32 * MiB));
      const outside = () => [device.hash(0, 8 * MiB), device.hash(24 * MiB)];
      const before = outside();
      const inside = device.hash(8 * MiB, 24 * MiB);
      const identity = await identityOf(sandbox, device.path);
      const more = `, offset: 8MiB, size: 16MiB, identity: "${identity}"`;
      expectPassed(await sandbox.run('run', sandbox.plan(plan(device.path, { more })), '--agents', '2', '--json'));
      expect(outside()).toEqual(before);
      expect(device.hash(8 * MiB, 24 * MiB)).not.toBe(inside);
    }));

  test('may be a partition, whose disk and sisters are left alone', ({ skip }) =>
    withDevice(
      skip,
      async (sandbox, device) => {
        partition(device.path);
        const outside = () => [device.hash(0, MiB), device.hash(17 * MiB)];
        const before = outside();
        const partitionPath = `${device.path}p1`;
        const text = plan(partitionPath, { size: '8MiB' });
        expectPassed(await sandbox.run('run', sandbox.plan(text), '--json'));
        expect(outside()).toEqual(before);
        expect(await identityOf(sandbox, partitionPath)).toMatch(/^loop-.*-part1@2048\+32768$/u);
      },
      '--partscan',
    ));

  test('has its faults told by device and by offset on the device', ({ skip }) =>
    withDevice(skip, async (sandbox, device) => {
      const stages = '{ write: {} }, { verify: { delay: 2s } }';
      const text = plan(device.path, { more: ', offset: 4MiB, size: 16MiB', stages });
      const run = sandbox.start('run', sandbox.plan(text), '--agents', '2', '--json');
      await run.event('stage-ended', 'write');
      const at = 4 * MiB + 70_000;
      const [byte = 0] = device.read(at, 1);
      device.write(at, Buffer.from([byte ^ 0x81]));
      device.write(12 * MiB, Buffer.alloc(4096));
      const { code, stderr, result } = await run.ended;
      expect(code, stderr).toBe(3);
      const inOrder = [...result.findings].sort((a, b) => a.offset - b.offset);
      expect(inOrder).toMatchObject([
        {
          kind: 'bit flip',
          path: device.path,
          offset: Math.floor(at / 512) * 512,
          length: 512,
          unit: 1,
          detail: `2 bits differ, the first at offset ${at}`,
        },
        { kind: 'zeroed', path: device.path, offset: 12 * MiB, length: 4096, unit: 128 },
      ]);
      // By the lane that found it, and by the other agent.
      const looks = inOrder.map(({ readers }) => readers.map(({ saw, direct }) => ({ saw, direct })));
      const same = { saw: 'same', direct: true };
      expect(looks).toEqual(Array.from({ length: 2 }, () => [same, same]));
    }));
});

describe('a device that holds something', () => {
  test('of a run with the same seed and namespace is written again without a word', ({ skip }) =>
    withDevice(skip, async (sandbox, device) => {
      const file = sandbox.plan(plan(device.path, { top: 'seed: 7\nnamespace: again' }));
      expectPassed(await sandbox.run('run', file, '--json'));
      expectPassed(await sandbox.run('run', file, '--json'));
    }));

  test('of a run with another seed is refused, until the plan repeats the identity', ({ skip }) =>
    withDevice(skip, async (sandbox, device) => {
      expectPassed(await sandbox.run('run', sandbox.plan(plan(device.path)), '--json'));
      const before = device.hash();
      const refused = await sandbox.run('run', sandbox.plan(plan(device.path)));
      expectError(refused, 1, 'SEEDSTORM_E_DEVICE_NOT_EMPTY', /data of unknown origin/u);
      expect(device.hash()).toBe(before);
      const identity = await identityOf(sandbox, device.path);
      expect(refused.stderr).toContain(`target.identity: "${identity}"`);
      const more = `, identity: "${identity}"`;
      expectPassed(await sandbox.run('run', sandbox.plan(plan(device.path, { more })), '--json'));
      expect(device.hash()).not.toBe(before);
    }));

  const somebodys = [
    {
      name: 'a file system',
      put: (path: string) => tool('mkfs.ext4', '-q', '-L', 'precious', path),
      what: /file system on it: ext4 “precious”/u,
    },
    { name: 'swap', put: (path: string) => tool('mkswap', path), what: /something on it: swap/u },
    {
      name: 'a partition table',
      put: (path: string) => tool('sh', '-c', `printf 'label: gpt\n,8MiB\n' | sfdisk --quiet --no-reread ${path}`),
      what: /partition table on it: gpt/u,
    },
  ];
  test.for(somebodys)('such as $name is refused and left as it is', ({ put, what }, { skip }) =>
    withDevice(skip, async (sandbox, device) => {
      put(device.path);
      const before = device.hash();
      const run = (more: string) => sandbox.run('run', sandbox.plan(plan(device.path, { more })));
      expectError(await run(', offset: 8MiB'), 1, 'SEEDSTORM_E_DEVICE_NOT_EMPTY', what);
      const other = await run(', identity: "naa.600508b1001c4d22"');
      expectError(other, 1, 'SEEDSTORM_E_DEVICE_IDENTITY', /plan means the device naa\.600508b1001c4d22/u);
      expect(device.hash()).toBe(before);
    }),
  );

  test('that only stands at its end is refused too', ({ skip }) =>
    withDevice(skip, async (sandbox, device) => {
      device.write(32 * MiB - 512, Buffer.from('the only copy of a thesis'));
      const ended = await sandbox.run('run', sandbox.plan(plan(device.path)));
      const offset = new RegExp(`first at offset ${32 * MiB - 512}`, 'u');
      expectError(ended, 1, 'SEEDSTORM_E_DEVICE_NOT_EMPTY', offset);
      expect(device.read(0, 16 * MiB).every((byte) => byte === 0)).toBe(true);
    }));
});

describe('a device in use is never written to, not even when the plan repeats its identity', () => {
  const uses = [
    {
      name: 'mounted',
      who: (name: string) => new RegExp(`${name} is mounted on /`, 'u'),
      use: (sandbox: Sandbox, { path }: LoopDevice) => {
        tool('mkfs.ext4', '-q', path);
        const folder = sandbox.makeFolder('mounted');
        // Read-only, so that the file system itself changes nothing either.
        tool('mount', '-o', 'ro,noload', path, folder);
        return () => tool('umount', folder);
      },
    },
    {
      name: 'swap',
      who: (name: string) => new RegExp(`${name} is used as swap`, 'u'),
      use: (_: Sandbox, { path }: LoopDevice) => {
        tool('mkswap', path);
        tool('swapon', path);
        return () => tool('swapoff', path);
      },
    },
    {
      name: 'under another device',
      who: (name: string) => new RegExp(`${name} is held by loop\\d+`, 'u'),
      use: (_: Sandbox, { path }: LoopDevice) => {
        const upper = tool('losetup', '--find', '--show', path);
        return () => tool('losetup', '--detach', upper);
      },
    },
    {
      name: 'held by another process',
      who: () => /somebody holds it for himself/u,
      use: (_: Sandbox, { path }: LoopDevice) => {
        const held = openSync(path, constants.O_RDONLY | constants.O_EXCL);
        return () => closeSync(held);
      },
    },
    {
      name: 'mounted by one of its partitions',
      options: ['--partscan'],
      who: (name: string) => new RegExp(`${name}p1 is mounted on /`, 'u'),
      use: (sandbox: Sandbox, { path }: LoopDevice) => {
        partition(path);
        tool('mkfs.ext4', '-q', `${path}p1`);
        const folder = sandbox.makeFolder('mounted');
        tool('mount', '-o', 'ro,noload', `${path}p1`, folder);
        return () => tool('umount', folder);
      },
    },
  ];
  test.for(uses)('$name', ({ who, use, options = [] }, { skip }) =>
    withDevice(
      skip,
      async (sandbox, device) => {
        const identity = await identityOf(sandbox, device.path);
        const release = use(sandbox, device);
        try {
          const before = device.hash();
          const name = device.path.replace('/dev/', '');
          const more = `, identity: "${identity}"`;
          const ended = await sandbox.run('run', sandbox.plan(plan(device.path, { more })));
          expectError(ended, 1, 'SEEDSTORM_E_DEVICE_IN_USE', who(name));
          expect(device.hash()).toBe(before);
        } finally {
          release();
        }
      },
      ...options,
    ),
  );
});

describe('a device that a run writes to', () => {
  test('is refused to another run on this host, which is told whose it is', ({ skip }) =>
    withDevice(skip, async (sandbox, device) => {
      const identity = await identityOf(sandbox, device.path);
      // Each block is flushed by itself: still at work when the other run comes.
      const slow = `, identity: "${identity}", io: { block: 512, sync: block }`;
      const first = sandbox.start('run', sandbox.plan(plan(device.path, { more: slow })), '--json');
      await first.progress('write', ({ unitsDone }) => unitsDone > 0, 'something done');
      const other = plan(device.path, { more: `, identity: "${identity}"` });
      const refused = await sandbox.run('run', sandbox.plan(other));
      expect(first.over, 'the first run ended too early for this test').toBe(false);
      expectError(refused, 1, 'SEEDSTORM_E_TARGET_LOCKED', new RegExp(`another run on this host: ${first.runId}`, 'u'));
      first.signal('SIGINT');
      const { result } = await first.ended;
      expect(result).toMatchObject({ outcome: 'cancelled', leftBehind: [device.path] });
    }));

  test('takes agents that join late: what the run itself wrote there is not in their way', ({ skip }) =>
    withDevice(skip, async (sandbox, device) => {
      const cluster = await Cluster.start(sandbox, 1);
      const stages = '{ write: {} }, { write: { delay: 3s } }, { verify: {} }';
      const run = cluster.start(sandbox.plan(plan(device.path, { stages })), '--json');
      await run.event('stage-ended', 'write');
      await cluster.startAgent('late').said(/joined the coordinator/u);
      const ended = await run.ended;
      expectPassed(ended);
      expect(ended.result.agentsSeen).toBe(2);
      expect(stageOf(ended.result, 'verify').agents.map(({ name }) => name)).toContain('late');
      await cluster.stop();
    }));
});

describe('a device that does not suit the plan', () => {
  const misfits = [
    { name: 'too small', more: '', size: '64MiB', code: 'SEEDSTORM_E_SPACE', what: /room for 33554432 bytes/u },
    {
      name: 'shorter than its part',
      more: ', offset: 16MiB, size: 32MiB',
      size: '1MiB',
      code: 'SEEDSTORM_E_DEVICE_UNFIT',
      what: /has 33554432 bytes; the plan's part begins at 16777216 and ends at 50331648/u,
    },
    {
      name: 'of larger sectors than the blocks',
      more: ', io: { block: 512 }',
      size: '1MiB',
      options: ['--sector-size', '4096'],
      code: 'SEEDSTORM_E_DEVICE_UNFIT',
      what: /target\.io\.block is 512 bytes, no multiple of the sector of \S+, 4096 bytes/u,
    },
  ];
  test.for(misfits)(
    '$name is refused before anything is written',
    ({ more, size, code, what, options = [] }, { skip }) =>
      withDevice(
        skip,
        async (sandbox, device) => {
          expectError(await sandbox.run('run', sandbox.plan(plan(device.path, { more, size }))), 1, code, what);
          expect(device.read(0, 32 * MiB).every((byte) => byte === 0)).toBe(true);
        },
        ...options,
      ),
  );

  test('that is a file, or is not there, is said to be so', async () => {
    await using sandbox = new Sandbox();
    const file = join(sandbox.folder, 'file');
    writeFileSync(file, Buffer.alloc(32 * MiB));
    const isFile = await sandbox.run('run', sandbox.plan(plan(file)));
    expectError(isFile, 1, 'SEEDSTORM_E_DEVICE_UNFIT', /is a regular file, not a block device/u);
    const nowhere = await sandbox.run('run', sandbox.plan(plan('/dev/no-such-device')));
    expectError(nowhere, 1, 'SEEDSTORM_E_TARGET_MISSING', /\/dev\/no-such-device does not exist/u);
  });
});

describe('seedstorm check', () => {
  test('says what the device is, how much it holds and what is on it, and writes nothing', ({ skip }) =>
    withDevice(skip, async (sandbox, device) => {
      tool('mkfs.ext4', '-q', device.path);
      const before = device.hash();
      const { code, stdout } = await sandbox.run('check', sandbox.plan(plan(device.path)), '--agents', '2');
      expect(code).toBe(1);
      expect(stdout).toMatch(/^ {2}error SEEDSTORM_E_DEVICE_NOT_EMPTY: .*file system on it: ext4/mu);
      expect(stdout).toContain(`${device.path} is loop-${device.image}-disk`);
      expect(stdout).toMatch(/32 MiB in sectors of 512 bytes/u);
      expect(stdout).toMatch(/^load {5}\d+ lanes of 2 agents, each with \d+ I\/Os? in flight: \d+ I\/Os/mu);
      expect(device.hash()).toBe(before);
    }));

  test('on agents of a cluster finds the same device on all of them', ({ skip }) =>
    withDevice(skip, async (sandbox, device) => {
      const cluster = await Cluster.start(sandbox, 2);
      const { code, stdout } = await sandbox.run('check', sandbox.plan(plan(device.path)), '--json', ...cluster.flags);
      expect(code).toBe(0);
      const { agents }: { agents: { checked: { identity: string; deviceBytes: number } }[] } = JSON.parse(stdout);
      expect(new Set(agents.map(({ checked }) => `${checked.identity} ${checked.deviceBytes}`)).size).toBe(1);
      expect(agents).toHaveLength(2);
      await cluster.stop();
    }));
});
