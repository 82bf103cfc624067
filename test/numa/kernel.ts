/**
 * The guests' kernel: Debian's for clouds, which has its drivers built in. It is downloaded and unpacked, never
 * installed, and kept: only the first run needs the network.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { isRoot } from './needs.js';

const metapackage = 'linux-image-cloud-amd64';
/** What a kernel may be packed with: how the packed part begins, and what unpacks it from stdin. */
const packings = [
  { magic: '02214c18', unpack: ['lz4', '-dc'] },
  { magic: '28b52ffd', unpack: ['zstd', '-dc'] },
  { magic: 'fd377a585a00', unpack: ['xz', '-dc'] },
  { magic: '1f8b08', unpack: ['gzip', '-dc'] },
];
const elf = Buffer.from('7f454c46', 'hex');
const mebibyte = 1024 ** 2;

/**
 * The kernel's file, ready to boot.
 * @throws Error with what could not be had.
 */
export function kernel(cache: string): string {
  const kept = existsSync(cache) ? readdirSync(cache).filter((name) => /^vmlinux-\d/u.test(name)) : [];
  const [newest] = kept.sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
  if (newest !== undefined) return join(cache, newest);
  mkdirSync(cache, { recursive: true });
  const scratch = mkdtempSync(join(cache, 'download-'));
  try {
    run(scratch, 'apt-get', 'download', packageName());
    const archive = only(scratch, /\.deb$/u);
    run(scratch, 'dpkg', '-x', archive, 'unpacked');
    const image = readFileSync(only(join(scratch, 'unpacked/boot'), /^vmlinuz-/u));
    const ready = join(scratch, 'vmlinux');
    writeFileSync(ready, unpacked(image));
    // linux-image-6.1.0-1-cloud-amd64_6.1.100-1_amd64.deb
    const version = archive.split('_').at(-2);
    renameSync(ready, join(cache, `vmlinux-${version}`));
    return join(cache, `vmlinux-${version}`);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** The package that has the kernel in it. */
function packageName(): string {
  const find = (): string | undefined => {
    const { stdout } = spawnSync('apt-cache', ['depends', metapackage], { encoding: 'utf8' });
    return /Depends: (linux-image-\S+)/u.exec(stdout ?? '')?.[1];
  };
  const name = find();
  if (name !== undefined) return name;
  if (isRoot) run('.', 'apt-get', 'update', '-q');
  const found = find();
  if (found === undefined) throw new Error(`apt-cache knows no ${metapackage}: run \`apt-get update\``);
  return found;
}

/** The kernel without its packing, which halves the time that an emulated machine takes to boot; as it is if need be. */
function unpacked(image: Buffer): Buffer {
  for (const { magic, unpack } of packings) {
    const [program = '', ...args] = unpack;
    const wanted = Buffer.from(magic, 'hex');
    for (let at = image.indexOf(wanted); at >= 0; at = image.indexOf(wanted, at + 1)) {
      // The magic may stand in the image by chance, and other bytes follow the packed part: its output tells.
      const { stdout } = spawnSync(program, args, { input: image.subarray(at), maxBuffer: 512 * mebibyte });
      if (stdout?.subarray(0, elf.length).equals(elf)) return stdout;
    }
  }
  return image;
}

function only(folder: string, pattern: RegExp): string {
  const name = readdirSync(folder).find((each) => pattern.test(each));
  if (name === undefined) throw new Error(`nothing in ${folder} matches ${pattern}`);
  return join(folder, name);
}

function run(cwd: string, program: string, ...args: string[]): void {
  execFileSync(program, args, { cwd, stdio: ['ignore', 'ignore', 'pipe'] });
}
