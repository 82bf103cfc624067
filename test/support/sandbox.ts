/**
 * A place for one test: a folder of its own with a target, a home and plans in it, and the processes that were started
 * there. Leaving the sandbox ends what still runs and removes everything.
 */
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { expect } from 'vitest';
import { Command, type Ended } from './command.js';
import { markVariable, type Process, processesMarked, signal } from './processes.js';
import { until } from './until.js';

/** Not the system's temp folder, which may be in memory: here I/O is like that of a disk. */
const parent = '/var/tmp';

/** A place for one test. */
export class Sandbox implements AsyncDisposable {
  readonly folder = mkdtempSync(join(parent, 'seedstorm-test-'));
  /** An empty folder that plans may name as their target. */
  readonly target = this.makeFolder('target');
  /** The home of the user who runs the commands. */
  readonly home = this.makeFolder('home');
  readonly #mark = randomUUID();
  readonly #mounts: string[] = [];
  readonly #loops: string[] = [];
  #plans = 0;

  /** A new empty folder in the sandbox. */
  makeFolder(name: string): string {
    const folder = join(this.folder, name);
    mkdirSync(folder);
    return folder;
  }

  /** Writes a plan and gives its path. */
  plan(text: string): string {
    this.#plans += 1;
    const file = join(this.folder, `plan-${this.#plans}.yaml`);
    writeFileSync(file, text);
    return file;
  }

  /** Starts the command. Its home is in the sandbox, so that nothing of the user's is read or written. */
  start(...args: string[]): Command {
    return this.startWith({}, ...args);
  }

  /** Starts the command with variables in its environment. */
  startWith(variables: NodeJS.ProcessEnv, ...args: string[]): Command {
    return new Command(args, { env: { ...this.#environment(), ...variables } });
  }

  /** Starts the command in a mount namespace of its own, in which `folder` is hidden behind `other`. Needs root. */
  startSeeing(other: string, folder: string, ...args: string[]): Command {
    const hide = `mount --bind '${other}' '${folder}' && exec "$@"`;
    return new Command(args, { env: this.#environment(), under: ['unshare', '-m', 'sh', '-c', hide, 'sh'] });
  }

  /** Starts the command on a host of another name. Needs root. */
  startOnHost(host: string, ...args: string[]): Command {
    const rename = `hostname '${host}' && exec "$@"`;
    return new Command(args, { env: this.#environment(), under: ['unshare', '--uts', 'sh', '-c', rename, 'sh'] });
  }

  /** Starts the command as another user. */
  startAs(user: number, ...args: string[]): Command {
    return new Command(args, { env: this.#environment(), user });
  }

  /** Starts the command on a terminal of its own: all that it shows there is its stdout. */
  startOnTerminal(variables: NodeJS.ProcessEnv, ...args: string[]): Command {
    return new Command(args, { env: { ...this.#environment(), ...variables }, onTerminal: true });
  }

  /** Starts the command in another network namespace. Needs root. */
  startIn(network: string, ...args: string[]): Command {
    return new Command(args, { env: this.#environment(), network });
  }

  /** Runs the command to its end. */
  run(...args: string[]): Promise<Ended> {
    return this.start(...args).ended;
  }

  /** The processes of this sandbox that live. */
  processes(): Process[] {
    return processesMarked(this.#mark);
  }

  /** The living agent of this name. */
  agent(name: string): Process {
    const agent = this.processes().find(({ args }) => args.includes('agent') && args.includes(name));
    if (agent === undefined) throw new Error(`no process of an agent ${name}`);
    return agent;
  }

  /** A file system in memory of this size, mounted in the sandbox. Needs root. */
  mountMemory(name: string, bytes: number): string {
    return this.mount('tmpfs', name, `size=${bytes}`);
  }

  /** An empty file system of a kind that needs no device, mounted in the sandbox. Needs root. */
  mount(kind: string, name: string, options = 'rw'): string {
    const folder = this.makeFolder(name);
    execFileSync('mount', ['-t', kind, '-o', options, kind, folder]);
    this.#mounts.push(folder);
    return folder;
  }

  /** An ext4 on a disk of its own with sectors of this size, mounted in the sandbox. Needs root. */
  mountDisk(name: string, bytes: number, sectorBytes = 512): string {
    const image = join(this.folder, `${name}.img`);
    writeFileSync(image, '');
    truncateSync(image, bytes);
    const loop = ['--find', '--show', '--direct-io=on', `--sector-size=${sectorBytes}`, image];
    const device = execFileSync('losetup', loop, { encoding: 'utf8' }).trim();
    this.#loops.push(device);
    execFileSync('mkfs.ext4', ['-q', '-m', '0', device]);
    const folder = this.makeFolder(name);
    execFileSync('mount', [device, folder]);
    this.#mounts.push(folder);
    rmSync(join(folder, 'lost+found'), { recursive: true });
    return folder;
  }

  /** Lets another user use the sandbox, but for what is locked to all. */
  giveTo(user: number): void {
    if (user === process.getuid?.()) return;
    for (const path of [this.folder, this.home]) chownSync(path, user, user);
  }

  /** Everything under a folder, the target unless named, but the locks of runs that use it, as relative paths. */
  files(folder: string = this.target): string[] {
    // Locks come and go while their folder is being looked at.
    const within = (at: string): string[] =>
      readdirSync(at, { withFileTypes: true })
        .filter(({ name }) => name !== '.seedstorm-locks')
        .flatMap((entry) => {
          const path = join(at, entry.name);
          if (entry.isDirectory()) return within(path);
          return entry.isFile() ? [path] : [];
        });
    return within(folder)
      .map((path) => relative(folder, path))
      .sort();
  }

  /** Asserts that no process of this sandbox lives and that the target is empty. */
  expectNothingLeft(folder: string = this.target): void {
    expect(this.processes(), 'processes that are left').toEqual([]);
    expect(readdirSync(folder), 'what is left in the target').toEqual([]);
  }

  /** Waits until no process of this sandbox lives. */
  async gone(timeoutMs: number): Promise<void> {
    await until(
      () => this.processes().length === 0,
      timeoutMs,
      () => `left: ${JSON.stringify(this.processes())}`,
    );
  }

  /** Ends what still runs, and removes everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { pid } of this.processes()) signal(pid, 'SIGKILL');
    await this.gone(10_000);
    for (const mount of this.#mounts) execFileSync('umount', [mount]);
    for (const loop of this.#loops) execFileSync('losetup', ['--detach', loop]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  #environment(): NodeJS.ProcessEnv {
    const env: NodeJS.ProcessEnv = { ...process.env, HOME: this.home, [markVariable]: this.#mark };
    for (const name of ['SEEDSTORM_TOKEN', 'NO_COLOR', 'FORCE_COLOR', 'CI']) delete env[name];
    return env;
  }
}
