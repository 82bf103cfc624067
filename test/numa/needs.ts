/** What the guests need of the host. Root gets it installed; anybody else is told its name, and the suite is skipped. */
import { existsSync } from 'node:fs';
import { installDebian } from '../../tools/setup.mjs';

/** The emulator that the guests run in. */
export const qemu = '/usr/bin/qemu-system-x86_64';
/** The guests' shell and tools. */
export const busybox = '/bin/busybox';

/** Debian packages and what tells that they are there. `lz4` unpacks the kernel. */
const packages = [
  { name: 'qemu-system-x86', file: qemu },
  { name: 'busybox-static', file: busybox },
  { name: 'lz4', file: '/usr/bin/lz4' },
];

/** Whether packages can be installed. */
export const isRoot = process.getuid?.() === 0;

/** What is missing and cannot be installed; `undefined` when all is there. */
export async function missing(): Promise<string | undefined> {
  // The addon that the guests load is the host's.
  if (process.arch !== 'x64') return 'an x86-64 host';
  const absent = packages.filter(({ file }) => !existsSync(file)).map(({ name }) => name);
  if (absent.length === 0) return undefined;
  if (!isRoot || !existsSync('/usr/bin/apt-get')) return absent.join(', ');
  await installDebian(absent);
  return undefined;
}
