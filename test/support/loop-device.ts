/** Block devices that a test may do anything to: files behind loop devices. Needs root. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { installDebian } from '../../tools/setup.mjs';
import type { Sandbox } from './sandbox.js';

const sbin = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };

/** Runs one of the system's tools for devices. */
export function tool(name: string, ...args: string[]): string {
  return execFileSync(name, args, { env: sbin, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] }).trim();
}

/** What of the tools that tests of devices need is missing; root gets them installed. */
export async function missingForDevices(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'root';
  const packages = { losetup: 'mount', 'mkfs.ext4': 'e2fsprogs', mkswap: 'util-linux', sfdisk: 'fdisk' };
  const absent = Object.entries(packages).filter(([name]) => !isThere(name));
  if (absent.length === 0) return undefined;
  if (!isThere('apt-get')) return absent.map(([name]) => name).join(', ');
  await installDebian(absent.map(([, name]) => name));
  return undefined;
}

function isThere(name: string): boolean {
  try {
    execFileSync('sh', ['-c', 'command -v "$1"', 'sh', name], { env: sbin, stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** A file as a block device. */
export class LoopDevice implements Disposable {
  private constructor(
    /** `/dev/loop7`. */
    readonly path: string,
    /** The file behind it. */
    readonly image: string,
    readonly bytes: number,
  ) {}

  /** A new one of zeros, with these options of losetup. */
  static create(sandbox: Sandbox, name: string, bytes: number, ...options: string[]): LoopDevice {
    const image = join(sandbox.folder, `${name}.img`);
    const file = openSync(image, 'w');
    ftruncateSync(file, bytes);
    closeSync(file);
    const path = tool('losetup', '--find', '--show', '--direct-io=on', ...options, image);
    return new LoopDevice(path, image, bytes);
  }

  /** Writes bytes, as somebody who knows nothing of Seedstorm. */
  write(offset: number, bytes: Buffer): void {
    const device = openSync(this.path, 'r+');
    writeSync(device, bytes, 0, bytes.length, offset);
    fsyncSync(device);
    closeSync(device);
  }

  read(offset: number, length: number): Buffer {
    const device = openSync(this.path, 'r');
    const bytes = Buffer.alloc(length);
    readSync(device, bytes, 0, length, offset);
    closeSync(device);
    return bytes;
  }

  /** A hash of the bytes [from, to). */
  hash(from = 0, to = this.bytes): string {
    return createHash('sha256')
      .update(this.read(from, to - from))
      .digest('hex');
  }

  [Symbol.dispose](): void {
    tool('losetup', '--detach', this.path);
  }
}
