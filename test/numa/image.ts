/** The guests' root file system: a shell, Node, the built packages, and the scripts in guest/ that look around there. */
import { execFileSync } from 'node:child_process';
import { closeSync, copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root } from '../support/command.js';
import { busybox } from './needs.js';
import { copyPackages } from './packages.js';

/** Where the guests have the packages. */
const home = 'seedstorm';
const scripts = fileURLToPath(new URL('guest', import.meta.url));

/** Makes it in `file`, as an archive that the kernel unpacks into memory. */
export function makeImage(file: string): void {
  const folder = mkdtempSync(`${file}-`);
  try {
    for (const name of ['dev', 'proc', 'sys', 'tmp']) mkdirSync(join(folder, name));
    copyProgram(busybox, folder, '/bin/busybox');
    copyProgram(process.execPath, folder, '/bin/node');
    copyLibraries(join(root, 'native/node/seedstorm.node'), folder);
    copyPackages(join(folder, home));
    cpSync(scripts, join(folder, home, 'guest'), { recursive: true });
    cpSync(join(scripts, 'init'), join(folder, 'init'));
    archive(folder, file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Copies a program to `to`, and its libraries to where it looks for them. */
function copyProgram(program: string, folder: string, to: string): void {
  mkdirSync(dirname(join(folder, to)), { recursive: true });
  copyFileSync(program, join(folder, to));
  copyLibraries(program, folder);
}

function copyLibraries(program: string, folder: string): void {
  let listed: string;
  try {
    listed = execFileSync('ldd', [program], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    // It has none: it is linked statically.
    return;
  }
  for (const [library] of listed.matchAll(/\/\S+(?= \(0x)/gu)) {
    const to = join(folder, library);
    if (existsSync(to)) continue;
    mkdirSync(dirname(to), { recursive: true });
    copyFileSync(library, to);
  }
}

/** In the format that kernels unpack. */
function archive(folder: string, file: string): void {
  const names = execFileSync(busybox, ['find', '.'], { cwd: folder, maxBuffer: 2 ** 26 });
  const output = openSync(file, 'w');
  try {
    const args = ['cpio', '-o', '-H', 'newc', '-R', '0:0'];
    execFileSync(busybox, args, { cwd: folder, input: names, stdio: ['pipe', output, 'ignore'] });
  } finally {
    closeSync(output);
  }
}
