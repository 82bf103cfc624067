/**
 * Tells other runs that a target is in use, and finds out whether others use it. Each run has a file of its own in a
 * folder of the target, and renews it as long as it lives: so a lock is never stolen, only found dead and cleared away.
 * No two clocks are ever compared.
 */
import { constants, readFileSync, readlinkSync } from 'node:fs';
import { type FileHandle, open, readdir, readFile, rmdir, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { SeedstormError } from '@seedstorm/errors';
import type { FileTarget } from '@seedstorm/proto';
import { makeOwnFolder, runFolders, targetPaths } from './file-target.js';

const folderName = '.seedstorm-locks';
const renewMs = 2000;
/** A lock that is not renewed for so long is dead: six renewals. */
const deadMs = 12_000;
/** How long the run's own lock is looked for: clients of network file systems remember for some seconds what was not there. */
const seeMs = 6000;
const pauseMs = 250;
/** Longer files are no locks of ours. */
const maxLockBytes = 4096;

/** What a lock's file says. */
interface Lock {
  readonly run: string;
  readonly agent: string;
  readonly host: string;
  readonly pid: number;
  /** What tells one process from another that had its pid, on one running kernel. */
  readonly process: string;
  /** When the run took the target, for people. */
  readonly since: string;
  readonly shares: boolean;
  /** Changes with each renewal. */
  readonly beat: number;
}

/** What an agent holds of a target for a run. */
export class HeldTarget {
  readonly #since = new Date().toISOString();
  #beat = 0;
  #renewing: Promise<void> = Promise.resolve();
  #isRenewing = false;
  #timer: NodeJS.Timeout | undefined;

  private constructor(
    private readonly paths: readonly string[],
    /** The run. */
    readonly run: string,
    private readonly agent: string,
    private readonly shares: boolean,
  ) {}

  /**
   * Takes hold of all paths, or of none. Says which locks of dead runs it cleared away.
   * @throws SeedstormError TARGET_LOCKED with who holds it; TARGET_OUTSIDE, MESSAGE_INVALID.
   */
  static async take(target: FileTarget, agent: string): Promise<{ held: HeldTarget; notes: string[] }> {
    const { runFolder: run, shareTarget: shares } = target;
    // Also proves that the run's name is one that a file can have.
    const paths = runFolders(target).map((folder) => dirname(folder));
    const held = new HeldTarget(paths, run, agent, shares);
    const notes: string[] = [];
    try {
      // Its own first, then a look at the others: of two that come at one time at least one sees the other.
      for (const path of paths) await held.#write(path);
      held.#timer = setInterval(() => held.#renew(), renewMs);
      const looked = await Promise.all(paths.map((path) => livingOthers(path, run, notes)));
      const inTheWay = looked.flat().find(({ lock }) => !(lock.shares && shares));
      if (inTheWay !== undefined) throw locked(inTheWay);
    } catch (error) {
      await held.release('agent');
      throw error;
    }
    return { held, notes };
  }

  /** Lets go of the target: as this agent, or as the whole run when it has ended, for some of its agents may be gone. */
  async release(of: 'agent' | 'run'): Promise<void> {
    clearInterval(this.#timer);
    await this.#renewing;
    for (const path of this.paths) {
      const folder = join(path, folderName);
      const names = await readdir(folder).catch(() => []);
      const isOurs = (name: string): boolean => (of === 'run' ? name.startsWith(`${this.run}~`) : name === this.#name);
      for (const name of names.filter(isOurs)) {
        await unlink(join(folder, name)).catch(() => {});
      }
      await rmdir(folder).catch(() => {});
    }
  }

  get #name(): string {
    return `${this.run}~${this.agent}`;
  }

  /** Storage that hangs is not asked again before it has answered. */
  #renew(): void {
    if (this.#isRenewing) return;
    this.#isRenewing = true;
    this.#renewing = (async () => {
      for (const path of this.paths) await this.#write(path).catch(() => {});
      this.#isRenewing = false;
    })();
  }

  async #write(path: string): Promise<void> {
    this.#beat += 1;
    const { run, agent, shares } = this;
    const lock: Lock = {
      run,
      agent,
      host: hostname(),
      pid: process.pid,
      process: thisProcess,
      since: this.#since,
      shares,
      beat: this.#beat,
    };
    const file = await openIn(path, this.#name);
    try {
      const text = `${JSON.stringify(lock)}\n`;
      await file.write(text, 0);
      await file.truncate(Buffer.byteLength(text));
      // So that other hosts see it.
      await file.sync();
    } finally {
      await file.close();
    }
  }
}

/** Errors that say who else uses the target; `shares` when the plan allows others that allow it as well. */
export async function findOtherRuns(paths: readonly string[], shares: boolean): Promise<SeedstormError[]> {
  const looked = await Promise.all(paths.map((path) => livingOthers(path, '', [])));
  return looked.flat().flatMap((found) => (found.lock.shares && shares ? [] : [locked(found)]));
}

/**
 * That this agent sees the lock of its run in every path: an agent that comes in mid-run had no part in the proof that
 * the target is shared, and what is not the run's target has no lock of it.
 * @throws SeedstormError TARGET_NOT_SHARED.
 */
export async function seeOwnLock(target: FileTarget, run: string): Promise<void> {
  for (const path of targetPaths(target)) {
    const deadline = performance.now() + seeMs;
    const isThere = async (): Promise<boolean> =>
      (await readdir(join(path, folderName)).catch(() => [])).some((name) => name.startsWith(`${run}~`));
    while (!(await isThere())) {
      if (performance.now() > deadline) {
        throw new SeedstormError({
          code: 'SEEDSTORM_E_TARGET_NOT_SHARED',
          what: `on ${hostname()} the lock of the run is not seen in ${path}: it is not the folder that the other agents use`,
        });
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}

interface Found {
  readonly path: string;
  readonly lock: Lock;
}

function locked({ path, lock }: Found): SeedstormError {
  return new SeedstormError({
    code: 'SEEDSTORM_E_TARGET_LOCKED',
    what: `${path} is in use by run ${lock.run}: agent ${lock.agent} on ${lock.host}, process ${lock.pid}, since ${lock.since}`,
  });
}

/** The folder may have gone between two calls, with the lock of another run. */
async function openIn(path: string, name: string): Promise<FileHandle> {
  const { O_CREAT, O_NOFOLLOW, O_WRONLY } = constants;
  for (let attempt = 1; ; attempt++) {
    const file = join(await makeOwnFolder(path, folderName), name);
    try {
      return await open(file, O_WRONLY | O_CREAT | O_NOFOLLOW, 0o644);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || attempt === 10) throw error;
    }
  }
}

/** Locks of living runs but for `run` itself; those of dead ones are removed when `run` is one that takes the target. */
async function livingOthers(path: string, run: string, notes: string[]): Promise<Found[]> {
  const folder = join(path, folderName);
  const names = (await readdir(folder).catch(() => [])).filter((name) => !name.startsWith(`${run}~`) || run === '');
  const found = await Promise.all(
    names.map(async (name): Promise<Found[]> => {
      const file = join(folder, name);
      const { lives, lock } = await watch(file);
      if (lock !== undefined && lives) return [{ path, lock }];
      if (lock === undefined || run === '') return [];
      notes.push(`the lock of run ${lock.run} in ${path} was cleared away: ${lock.host} renews it no more`);
      await unlink(file).catch(() => {});
      return [];
    }),
  );
  return found.flat();
}

/** Looks at a lock until it is renewed, which its run does while it lives, or gone, or not renewed for too long. */
async function watch(file: string): Promise<{ lives: boolean; lock: Lock | undefined }> {
  const first = await readLock(file);
  if (first === undefined) return { lives: false, lock: undefined };
  if (isDeadHere(first)) return { lives: false, lock: first };
  const deadline = performance.now() + deadMs;
  while (performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    const now = await readLock(file);
    if (now === undefined) return { lives: false, lock: undefined };
    if (now.beat !== first.beat) return { lives: true, lock: now };
  }
  return { lives: false, lock: first };
}

/** What a lock says; undefined when it is gone, or no lock of ours. */
async function readLock(file: string): Promise<Lock | undefined> {
  try {
    const text = await readFile(file, 'utf8');
    if (text.length > maxLockBytes) return undefined;
    const lock = JSON.parse(text) as Lock;
    return typeof lock.run === 'string' && typeof lock.process === 'string' ? lock : undefined;
  } catch {
    return undefined;
  }
}

/** Whether the process that holds it was one of this kernel, and is gone: then there is no need to wait. */
function isDeadHere({ pid, process: holder }: Lock): boolean {
  const [here] = thisProcess.split(' ');
  return here !== 'unknown' && holder.split(' ')[0] === here && processOf(pid) !== holder;
}

/** A running kernel and its namespace of pids, then when the process began: no other ever has the same. */
function processOf(pid: number | 'self'): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    // The command's name may hold anything, so fields are counted from behind its closing bracket.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    return `${boot}/${readlinkSync('/proc/self/ns/pid')} ${fields[19]}`;
  } catch {
    return 'unknown';
  }
}

const thisProcess = processOf('self');
