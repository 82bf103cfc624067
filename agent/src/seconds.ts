/**
 * Cuts what a task does into seconds of the coordinator's clock: its borders are told as instants of this agent's. The
 * counters are read shortly after each border, and what they had at the border itself is drawn between two readings. Must
 * not know what is done.
 */
import { type Moved, monotonicNs } from '@seedstorm/native';
import type { SecondCounters } from '@seedstorm/proto';

const secondNs = 1_000_000_000n;

/** The seconds of one stage on this agent. */
export class Seconds {
  readonly #moved: () => Moved;
  readonly #commonStartNs: bigint;
  #index: number;
  /** The reading before, and what of it was given to seconds that are over. */
  #before: Moved;
  #told = { operations: 0, bytes: 0 };
  #over: SecondCounters[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** Seconds are cut from the common start on; this agent begins at `startNs`, which may be later. */
  constructor(moved: () => Moved, commonStartNs: bigint, startNs: bigint) {
    this.#moved = moved;
    this.#commonStartNs = commonStartNs;
    this.#index = Math.max(0, Number((startNs - commonStartNs) / secondNs));
    this.#before = { atNs: startNs, operations: 0, bytes: 0 };
    this.#wait();
  }

  /** Seconds that are over and were not taken yet; with `last` also the one at hand, and no more come. */
  take(last: boolean): SecondCounters[] {
    const now = this.#moved();
    this.#read(now);
    if (last) {
      this.close();
      if (now.operations > this.#told.operations || now.bytes > this.#told.bytes) this.#tell(now);
    }
    const over = this.#over;
    this.#over = [];
    return over;
  }

  /** Reads no more. */
  close(): void {
    clearTimeout(this.#timer);
  }

  get #borderNs(): bigint {
    return this.#commonStartNs + BigInt(this.#index + 1) * secondNs;
  }

  #wait(): void {
    // A millisecond later: a timer may fire before its time, and the second would not be over.
    const ms = Math.max(1, Number((this.#borderNs - monotonicNs()) / 1_000_000n) + 1);
    this.#timer = setTimeout(() => {
      this.#read(this.#moved());
      this.#wait();
    }, ms);
    this.#timer.unref();
  }

  /** Ends the seconds whose border lies before this reading. */
  #read(now: Moved): void {
    while (this.#borderNs <= now.atNs) this.#tell(between(this.#before, now, this.#borderNs));
    this.#before = now;
  }

  /** Ends the second at hand, at whose end so much had been done. */
  #tell({ operations, bytes }: Pick<Moved, 'operations' | 'bytes'>): void {
    this.#over.push({
      index: this.#index,
      bytes: BigInt(bytes - this.#told.bytes),
      operations: BigInt(operations - this.#told.operations),
    });
    this.#told = { operations, bytes };
    this.#index += 1;
  }
}

/** What had been done at an instant between two readings, if it went on evenly. */
export function between(before: Moved, after: Moved, atNs: bigint): Pick<Moved, 'operations' | 'bytes'> {
  const span = Number(after.atNs - before.atNs);
  const part = span > 0 ? Math.min(1, Math.max(0, Number(atNs - before.atNs) / span)) : 0;
  const at = (from: number, to: number): number => from + Math.floor((to - from) * part);
  return { operations: at(before.operations, after.operations), bytes: at(before.bytes, after.bytes) };
}
