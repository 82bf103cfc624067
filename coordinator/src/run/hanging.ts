/**
 * Tells of agents whose I/O hangs: they live, have work, and nothing comes back. A device that does not answer looks to the
 * ledger like a slow one; people want to know at once. Must never end anything.
 */
import type { Participant } from './participant.js';
import type { RunLog } from './run-log.js';

/** How long nothing may come back before it is said. */
export const hangMs = 5000;

interface Seen {
  /** What it had done. */
  readonly done: string;
  readonly sinceMs: number;
  told: boolean;
}

/** Watches the agents of one stage. */
export class Hanging {
  readonly #seen = new Map<Participant, Seen>();

  constructor(
    private readonly name: string,
    private readonly log: RunLog,
  ) {}

  /** Looks at an agent; `busy`: it has work that it could do. */
  look(participant: Participant, busy: boolean, nowMs: number): void {
    const { totals } = participant;
    const done = JSON.stringify([totals.sum('operations'), totals.sum('errors'), totals.sum('syncs'), busy]);
    const seen = this.#seen.get(participant);
    if (seen === undefined || seen.done !== done) {
      if (seen?.told === true) this.#back(participant, nowMs - seen.sinceMs);
      this.#seen.set(participant, { done, sinceMs: nowMs, told: false });
      return;
    }
    if (!busy || seen.told || nowMs - seen.sinceMs < hangMs) return;
    seen.told = true;
    this.log.event(
      'warning',
      'io-hangs',
      `agent ${participant.name}: I/O hangs: for ${hangMs / 1000} s no operation of ${this.name} has come back; it is waited for`,
    );
  }

  #back({ name }: Participant, hungMs: number): void {
    this.log.event('info', 'io-back', `agent ${name}: I/O has come back after ${(hungMs / 1000).toFixed(1)} s`);
  }
}
