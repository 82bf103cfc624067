/**
 * Writes that may still arrive: those of holders whose leases ended while they may have had I/O in flight. A later
 * generation or a delete of these units has to wait until it is settled that nothing comes any more.
 */
import type { Unsettled } from './coverage.js';
import { type Range, unionUnits } from './intervals.js';
import { type LostUnits, UnitsByAgent } from './units-by-agent.js';

/** What is waited for, and where waiting ended without an answer. */
export class Settling {
  #pending: Unsettled[] = [];
  readonly #indeterminate = new UnitsByAgent();

  get pending(): readonly Unsettled[] {
    return this.#pending;
  }

  /** Units with at least one holder that is waited for. */
  get units(): number {
    return unionUnits(this.#pending.map(({ first, end }) => [first, end]));
  }

  waitFor(unsettled: Unsettled): void {
    this.#pending.push(unsettled);
  }

  /** Nothing of this incarnation can arrive any more: it drained, or is known to be dead. */
  settle(agent: string, incarnation: number): void {
    this.#pending = this.#pending.filter((one) => one.agent !== agent || one.incarnation !== incarnation);
  }

  /** Stops waiting where the time is up. An old generation found there later is a possible late write, never stale. */
  timeOut(nowMs: number): void {
    for (const { agent, first, end, untilMs } of this.#pending) {
      if (untilMs <= nowMs) this.markIndeterminate(agent, first, end);
    }
    this.#pending = this.#pending.filter((one) => one.untilMs > nowMs);
  }

  /** When the next wait is over. */
  nextMs(): number | undefined {
    let next: number | undefined;
    for (const { untilMs } of this.#pending) next = Math.min(next ?? Number.POSITIVE_INFINITY, untilMs);
    return next;
  }

  markIndeterminate(agent: string, first: number, end: number): void {
    this.#indeterminate.add({ agent, first, end });
  }

  /** Units that may hold what `agent` wrote late, or miss what it never made durable. */
  indeterminateOf(agent: string): Range[] {
    return this.#indeterminate.of(agent);
  }

  /** The same of every agent. */
  get allIndeterminate(): LostUnits[] {
    return this.#indeterminate.all;
  }

  get indeterminateUnits(): number {
    return this.#indeterminate.count;
  }
}
