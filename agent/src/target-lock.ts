/**
 * Tells other runs that a target is in use, and finds out whether others use it. Each run has a note of its own on the
 * target, a file or an object, and renews it as long as it lives: so a lock is never stolen, only found dead and cleared
 * away. No two clocks are ever compared.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { SeedstormError } from '@seedstorm/errors';
import type { Target } from '@seedstorm/proto';
import { namePattern } from './file-target.js';
import { type Notes, placesOf } from './notes.js';

const folderName = '.seedstorm-locks';
const renewMs = 2000;
/** A lock that is not renewed for so long is dead: six renewals. */
const deadMs = 12_000;
/** How long the run's own lock is looked for: clients of network file systems remember for some seconds what was not there. */
const seeMs = 6000;
const pauseMs = 250;

/** The parts of a target that locks ask about. */
export interface Lockable {
  /** The run's own name. */
  readonly run: string;
  /** Whether another run may use the target at the same time. */
  readonly shares: boolean;
}

/** What a lock of a target is about; undefined for a target that has none. */
export function lockable(target: Target | undefined): Lockable | undefined {
  if (target?.kind?.$case !== 'file' && target?.kind?.$case !== 's3') return undefined;
  const { runFolder: run, shareTarget: shares } = target.kind.value;
  return { run, shares };
}

/** What a lock says. */
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
    private readonly places: readonly Notes[],
    /** The run. */
    readonly run: string,
    private readonly agent: string,
    private readonly shares: boolean,
  ) {}

  /**
   * Takes hold of all places of a target, or of none. Says which locks of dead runs it cleared away.
   * @throws SeedstormError TARGET_LOCKED with who holds it; TARGET_OUTSIDE, MESSAGE_INVALID, and what a store answers.
   */
  static async take(target: Target, agent: string): Promise<{ held: HeldTarget; notes: string[] }> {
    const places = placesOf(target, folderName).written;
    const { run, shares } = lockable(target) ?? { run: '', shares: false };
    if (!namePattern.test(run)) {
      throw new SeedstormError({ code: 'SEEDSTORM_E_MESSAGE_INVALID', what: `${run} is no name of a run` });
    }
    const held = new HeldTarget(places, run, agent, shares);
    const notes: string[] = [];
    try {
      // Its own first, then a look at the others: of two that come at one time at least one sees the other.
      for (const place of places) await held.#write(place);
      held.#timer = setInterval(() => held.#renew(), renewMs);
      const looked = await Promise.all(places.map((place) => livingOthers(place, run, notes)));
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
    for (const place of this.places) {
      const names = await place.names().catch(() => []);
      const isOurs = (name: string): boolean => (of === 'run' ? name.startsWith(`${this.run}~`) : name === this.#name);
      for (const name of names.filter(isOurs)) await place.remove(name);
      await place.tidy();
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
      for (const place of this.places) await this.#write(place).catch(() => {});
      this.#isRenewing = false;
    })();
  }

  async #write(place: Notes): Promise<void> {
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
    await place.write(this.#name, `${JSON.stringify(lock)}\n`);
  }
}

/** Errors that say who else uses the target; `shares` when the plan allows others that allow it as well. */
export async function findOtherRuns(target: Target): Promise<SeedstormError[]> {
  const { shares = false } = lockable(target) ?? {};
  const looked = await Promise.all(placesOf(target, folderName).written.map((place) => livingOthers(place, '', [])));
  return looked.flat().flatMap((found) => (found.lock.shares && shares ? [] : [locked(found)]));
}

/**
 * That this agent sees the lock of its run in every place: an agent that comes in mid-run had no part in the proof that
 * the target is shared, and what is not the run's target has no lock of it.
 * @throws SeedstormError TARGET_NOT_SHARED.
 */
export async function seeOwnLock(target: Target, run: string): Promise<void> {
  for (const place of placesOf(target, folderName).seen) {
    const deadline = performance.now() + seeMs;
    const isThere = async (): Promise<boolean> => (await place.names()).some((name) => name.startsWith(`${run}~`));
    while (!(await isThere())) {
      if (performance.now() > deadline) {
        throw new SeedstormError({
          code: 'SEEDSTORM_E_TARGET_NOT_SHARED',
          what: `on ${hostname()} the lock of the run is not seen in ${place.where}: it is not the target that the other agents use`,
        });
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}

interface Found {
  readonly where: string;
  readonly lock: Lock;
}

function locked({ where, lock }: Found): SeedstormError {
  return new SeedstormError({
    code: 'SEEDSTORM_E_TARGET_LOCKED',
    what: `${where} is in use by run ${lock.run}: agent ${lock.agent} on ${lock.host}, process ${lock.pid}, since ${lock.since}`,
  });
}

/** Locks of living runs but for `run` itself; those of dead ones are removed when `run` is one that takes the target. */
async function livingOthers(place: Notes, run: string, notes: string[]): Promise<Found[]> {
  const { where } = place;
  const names = (await place.names()).filter((name) => !name.startsWith(`${run}~`) || run === '');
  const found = await Promise.all(
    names.map(async (name): Promise<Found[]> => {
      const { lives, lock } = await watch(place, name);
      if (lock !== undefined && lives) return [{ where, lock }];
      if (lock === undefined || run === '') return [];
      notes.push(`the lock of run ${lock.run} in ${where} was cleared away: ${lock.host} renews it no more`);
      await place.remove(name);
      return [];
    }),
  );
  return found.flat();
}

/** Looks at a lock until it is renewed, which its run does while it lives, or gone, or not renewed for too long. */
async function watch(place: Notes, name: string): Promise<{ lives: boolean; lock: Lock | undefined }> {
  const deadline = performance.now() + deadMs;
  let first: Lock | undefined;
  for (;;) {
    const text = await place.read(name);
    if (text === undefined) return { lives: false, lock: undefined };
    // One that is being written may be read in parts: it says more at the next look, or is none of ours.
    const now = lockOf(text);
    first ??= now;
    if (first !== undefined && isDeadHere(first)) return { lives: false, lock: first };
    if (now !== undefined && now.beat !== first?.beat) return { lives: true, lock: now };
    if (performance.now() > deadline) return { lives: false, lock: first };
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

/** What a lock says; undefined when it is no lock of ours. */
function lockOf(text: string): Lock | undefined {
  try {
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
