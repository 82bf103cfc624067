/** What disks with faults need of the host. Root gets it installed; anybody else is told, and the tests are skipped. */
import { existsSync } from 'node:fs';
import { test } from 'vitest';
import { installDebian } from '../../tools/setup.mjs';

/** Debian packages and what tells that they are there. */
const packages = [
  { name: 'nbdkit', file: '/usr/bin/nbdkit' },
  { name: 'libnbd-bin', file: '/usr/bin/nbdfuse' },
  { name: 'fuse3', file: '/usr/bin/fusermount3' },
  { name: 'e2fsprogs', file: '/usr/sbin/mkfs.ext4' },
  { name: 'xfsprogs', file: '/usr/sbin/mkfs.xfs' },
  { name: 'mount', file: '/usr/sbin/losetup' },
];

/** What is missing and cannot be had; `undefined` when all is there. */
async function missing(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'root, to mount disks';
  for (const device of ['/dev/loop-control', '/dev/fuse']) if (!existsSync(device)) return device;
  const absent = packages.filter(({ file }) => !existsSync(file)).map(({ name }) => name);
  if (absent.length === 0) return undefined;
  if (!existsSync('/usr/bin/apt-get')) return absent.join(', ');
  await installDebian(absent);
  return undefined;
}

const what = await missing();
// Where everything should be tested, nothing is left out in silence.
if (what !== undefined && process.env.CI === 'true') throw new Error(`disks with faults need ${what}`);
if (what !== undefined) process.stderr.write(`skipped: needs ${what}\n`);

/** A test on a disk with faults. */
export const onDisk = test.skipIf(what !== undefined);
