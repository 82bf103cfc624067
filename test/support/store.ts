/**
 * A real S3 server: SeaweedFS, with a folder and ports of its own. Its own file service, which knows nothing of S3, is the
 * plain client by which tests look at objects and spoil them. Must not know what a test is about.
 */
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, type TestContext } from 'vitest';
import { startWeed, weed, weedPorts } from '../../tools/weed.mjs';
import { needs } from './needs.js';

/** The bucket that every server has. */
export const bucket = 'qualify';
/** What nobody may see. */
export const secret = 'a-secret-that-nobody-may-see';
/** What commands that may use it have in their environment. */
export const credentials = { AWS_ACCESS_KEY_ID: 'TESTKEYID', AWS_SECRET_ACCESS_KEY: secret };

/**
 * A server for all tests of a file, which leave nothing in it. To be called as the file is read; what it gives is called by a
 * test, which is skipped where there is no such server.
 */
export function oneStore(): (skip: TestContext['skip']) => Store {
  let started: Store | string;
  beforeAll(async () => {
    started = await Store.start();
  }, 300_000);
  afterAll(async () => {
    if (typeof started !== 'string') await started[Symbol.asyncDispose]();
  });
  return (skip) => {
    needs(skip, typeof started !== 'string', `SeaweedFS (${started})`);
    if (typeof started === 'string') throw new Error(started);
    return started;
  };
}

/** A server that can be killed and started again. */
export class Store implements AsyncDisposable {
  readonly #folder = mkdtempSync('/var/tmp/seedstorm-store-');
  #process: ChildProcess | undefined;

  private constructor(
    private readonly program: string,
    private readonly ports: readonly number[],
  ) {}

  /** Starts one. Gives why not where the program cannot be had. */
  static async start(): Promise<Store | string> {
    let program: string;
    try {
      program = weed();
    } catch (error) {
      return String(error);
    }
    const store = new Store(program, await weedPorts());
    await store.startAgain();
    return store;
  }

  /** Where it answers. */
  get endpoint(): string {
    return `http://127.0.0.1:${this.ports[0]}`;
  }

  /** Another address of the same server. */
  get otherEndpoint(): string {
    return `http://localhost:${this.ports[0]}`;
  }

  /** Starts it on its folder and ports; resolves when it answers. */
  async startAgain(): Promise<void> {
    this.#process = await startWeed(this.program, this.#folder, this.ports, bucket, credentials);
  }

  /** Ends it as a power cut would. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Keys of all objects but the notes of runs, sorted. */
  async keys(): Promise<string[]> {
    return (await this.#all()).filter((key) => !isNote(key));
  }

  /** Keys of what runs and agents tell each other, such as locks. */
  async notes(): Promise<string[]> {
    return (await this.#all()).filter(isNote);
  }

  /** What there is of uploads that were begun and never ended. */
  openUploads(): Promise<string[]> {
    return this.#entries('.uploads').then((entries) => entries.map(({ FullPath }) => FullPath));
  }

  /** An object's bytes. */
  async read(key: string): Promise<Buffer> {
    const answer = await fetch(this.#url(key));
    if (!answer.ok) throw new Error(`${key}: ${answer.status}`);
    return Buffer.from(await answer.arrayBuffer());
  }

  /** Puts other bytes in an object's place. */
  async write(key: string, bytes: Buffer): Promise<void> {
    const answer = await fetch(this.#url(key), { method: 'PUT', body: new Uint8Array(bytes) });
    if (!answer.ok) throw new Error(`${key}: ${answer.status}`);
  }

  /** Takes an object away. */
  async remove(key: string): Promise<void> {
    const answer = await fetch(this.#url(key), { method: 'DELETE' });
    if (!answer.ok) throw new Error(`${key}: ${answer.status}`);
  }

  #all(): Promise<string[]> {
    return this.#files('', (name) => name !== '.uploads');
  }

  #url(path: string): string {
    return `http://127.0.0.1:${this.ports[3]}/buckets/${bucket}/${path}`;
  }

  async #files(folder: string, wanted: (name: string) => boolean): Promise<string[]> {
    const keys: string[] = [];
    for (const { FullPath, Mode } of await this.#entries(folder)) {
      const name = FullPath.split('/').at(-1) ?? '';
      const path = folder === '' ? name : `${folder}/${name}`;
      if (!wanted(name)) continue;
      if ((Mode & folderMode) !== 0) keys.push(...(await this.#files(path, () => true)));
      else keys.push(path);
    }
    return keys.sort();
  }

  async #entries(folder: string): Promise<Entry[]> {
    const slash = folder === '' ? '' : '/';
    const answer = await fetch(`${this.#url(folder)}${slash}?limit=100000`, {
      headers: { accept: 'application/json' },
    });
    if (answer.status === 404) return [];
    const { Entries } = (await answer.json()) as { Entries: Entry[] | null };
    return Entries ?? [];
  }
}

function isNote(key: string): boolean {
  return key.split('/').some((part) => part.startsWith('.seedstorm-'));
}

/** Go's bit for a folder. */
const folderMode = 1 << 31;

interface Entry {
  readonly FullPath: string;
  readonly Mode: number;
}
