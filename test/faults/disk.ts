/**
 * Disks that are made to fail: a file system on a loop device over an image, whose bytes can be changed under it; and one
 * behind a small server that gives errors, is slow, or stops to answer, as it is told.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import type { Sandbox } from '../support/sandbox.js';
import { until } from '../support/until.js';

const patienceMs = 10_000;

/** How a file system is made and mounted. */
export interface FileSystem {
  readonly kind: 'ext4' | 'xfs';
  readonly megabytes: number;
  readonly options?: string;
  /** Without a journal ext4 does not end with the first write that fails. */
  readonly journal?: boolean;
}

function run(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
}

/** A file system on a loop device. */
export class Disk {
  private constructor(
    /** Where it is mounted. */
    readonly folder: string,
    /** What the loop device is over. */
    private readonly image: string,
    readonly device: string,
  ) {}

  /** A file system over an image of its own. */
  static make(sandbox: Sandbox, name: string, fileSystem: FileSystem): Disk {
    const image = join(sandbox.folder, `${name}.img`);
    run('truncate', '-s', `${fileSystem.megabytes}M`, image);
    return Disk.over(sandbox, name, image, fileSystem);
  }

  /** A file system over a file. */
  static over(
    sandbox: Sandbox,
    name: string,
    file: string,
    { kind, options = 'rw', journal = true }: FileSystem,
  ): Disk {
    const folder = sandbox.makeFolder(name);
    const device = run('losetup', '--find', '--show', file);
    // The disk is to be as it was left: ext4 would fill its tables in later.
    run(
      `mkfs.${kind}`,
      '-q',
      ...(kind === 'ext4' ? ['-E', 'lazy_itable_init=0'] : []),
      ...(journal ? [] : ['-O', '^has_journal']),
      device,
    );
    run('mount', '-t', kind, '-o', options, device, folder);
    return new Disk(folder, file, device);
  }

  /** A folder on it for a run. */
  target(): string {
    const folder = join(this.folder, 'target');
    if (!existsSync(folder)) run('mkdir', folder);
    return folder;
  }

  /** What the disk itself holds of a file, whatever the system remembers of it. */
  read(file: string, offset: number, length: number): Buffer {
    this.flush(file);
    const bytes = Buffer.alloc(length);
    const image = openSync(this.image, 'r');
    readSync(image, bytes, 0, length, this.#place(file, offset, length));
    closeSync(image);
    return bytes;
  }

  /** Changes a file's bytes on the disk itself, under the file system, which is not told. */
  write(file: string, offset: number, bytes: Buffer): void {
    this.flush(file);
    const image = openSync(this.image, 'r+');
    writeSync(image, bytes, 0, bytes.length, this.#place(file, offset, bytes.length));
    fsyncSync(image);
    closeSync(image);
  }

  /** Brings a file to the disk. */
  flush(file: string): void {
    const descriptor = openSync(file, 'r');
    fsyncSync(descriptor);
    closeSync(descriptor);
  }

  /** Lets the system forget what it remembers of all files. */
  static dropCaches(): void {
    writeFileSync('/proc/sys/vm/drop_caches', '3');
  }

  /** Has the file system find itself broken, upon which it goes on read-only. ext4 only. */
  breakDown(): void {
    writeFileSync(`/sys/fs/ext4/${basename(this.device)}/trigger_fs_error`, 'a test broke it');
  }

  /** Has the file system stop as if the power had failed. xfs only. */
  shutDown(): void {
    run('xfs_io', '-x', '-c', 'shutdown', this.folder);
  }

  /** Unmounts it and gives the loop device back. */
  remove(): void {
    run('umount', this.folder);
    run('losetup', '-d', this.device);
  }

  /** Where on the disk a place of a file is, in bytes. */
  #place(file: string, offset: number, length: number): number {
    const blockBytes = Number(run('stat', '-f', '-c', '%S', file));
    // "   0:        0..     511:      34816..     35327:    512:             last,eof"
    for (const line of run('filefrag', '-e', file).split('\n')) {
      const extent = /^\s*\d+:\s*(\d+)\.\.\s*(\d+):\s*(\d+)\.\./u.exec(line);
      if (extent === null) continue;
      const [first, last, physical] = extent.slice(1).map(Number) as [number, number, number];
      if (offset < first * blockBytes || offset + length > (last + 1) * blockBytes) continue;
      return physical * blockBytes + offset - first * blockBytes;
    }
    throw new Error(`bytes ${offset} to ${offset + length} of ${file} are in no one extent`);
  }
}

/** A disk behind a server that fails as it is told. */
export class FaultyDisk {
  private constructor(
    readonly disk: Disk,
    private readonly server: ChildProcess,
    private readonly bridge: ChildProcess,
    private readonly switches: string,
    private readonly file: string,
  ) {}

  /** A disk whose every write takes `writeMs`. */
  static async make(
    sandbox: Sandbox,
    name: string,
    fileSystem: FileSystem,
    { writeMs = 0, readMs = 0 }: { writeMs?: number; readMs?: number } = {},
  ): Promise<FaultyDisk> {
    const at = join(sandbox.folder, `${name}-server`);
    run('mkdir', at);
    const [image, socket, file] = ['image', 'socket', 'disk'].map((each) => join(at, each)) as [string, string, string];
    run('truncate', '-s', `${fileSystem.megabytes}M`, image);
    const errors = ['pread', 'pwrite'].flatMap((each) => [
      `error-${each}-rate=100%`,
      `error-${each}-file=${at}/${each}`,
    ]);
    const delays = [`wdelay=${writeMs}ms`, `rdelay=${readMs}ms`];
    const filters = ['--filter=error', '--filter=delay'];
    const server = spawn('nbdkit', ['-f', '-U', socket, ...filters, 'file', image, 'error=EIO', ...errors, ...delays], {
      stdio: 'ignore',
    });
    await until(
      () => existsSync(socket),
      patienceMs,
      () => 'nbdkit did not start',
    );
    writeFileSync(file, '');
    const bridge = spawn('nbdfuse', [file, '--unix', socket], { stdio: 'ignore' });
    await until(
      () => statSync(file).size > 0,
      patienceMs,
      () => 'nbdfuse did not start',
    );
    return new FaultyDisk(Disk.over(sandbox, name, file, fileSystem), server, bridge, at, file);
  }

  /** From now on every read from the disk, or every write to it, fails. */
  fail(what: 'pread' | 'pwrite'): void {
    writeFileSync(join(this.switches, what), '');
  }

  /** All is well again. */
  mend(): void {
    for (const what of ['pread', 'pwrite']) rmSync(join(this.switches, what), { force: true });
  }

  /** The disk does not answer any more. */
  stop(): void {
    this.server.kill('SIGSTOP');
  }

  /** It answers again. */
  resume(): void {
    this.server.kill('SIGCONT');
  }

  /** Removes it. */
  async remove(): Promise<void> {
    this.mend();
    this.resume();
    this.disk.remove();
    run('umount', '-l', this.file);
    for (const process of [this.bridge, this.server]) {
      const gone = new Promise((resolve) => process.once('exit', resolve));
      if (process.exitCode !== null || process.signalCode !== null) continue;
      process.kill('SIGTERM');
      await gone;
    }
  }
}
