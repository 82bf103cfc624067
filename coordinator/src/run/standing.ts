/**
 * What a run has on its target: who wrote what is there now, who may have touched what, and who may still be at it. No I/O, no
 * messages.
 */
import { IntervalMap, type Ledger, type Range, type WriterRange } from '../ledger/index.js';
import { LateWrites } from './late-writes.js';

/** What is known of the data of the last write. */
export interface Written {
  /** Who wrote what, ascending. */
  writers(): readonly WriterRange[];
  /** What it lacks. */
  unfinished(): readonly Range[];
  /** Who wrote a unit, and between when, by the coordinator's monotonic clock in ms. */
  doneBy(unit: number): { readonly agent: string; readonly afterMs: number; readonly beforeMs: number } | undefined;
}

type Holder = Pick<WriterRange, 'agent' | 'host'>;

/** See the head. */
export class Standing {
  /** The last write. */
  written: Written | undefined;
  /** Whether objects of this run may be on the target. */
  hasData = false;
  /** The generation of the last write. */
  generation = 0;
  /** What lost agents may still write. */
  readonly late = new LateWrites();
  #holders = noHolders();
  #mutations: Ledger[] = [];

  /** The ledgers of stages that changed something and that lost agents may still be at. */
  get mutations(): readonly Ledger[] {
    this.#mutations = this.#mutations.filter((ledger) => !ledger.isSettled());
    return this.#mutations;
  }

  /** Who has what, as a stage is to be dealt out by it: what is read back by who wrote it, what changes by who touched it. */
  holders(readsBack: boolean): readonly WriterRange[] {
    if (readsBack) return this.written?.writers() ?? [];
    return this.#holders.entries.map(({ first, end, value }) => ({ first, end, ...value }));
  }

  /** The data of an earlier run is there, and is not this run's to remove. */
  found(written: Written, generation: number): void {
    this.written = written;
    this.generation = generation;
    for (const { first, end, agent, host } of written.writers()) this.#holders.set(first, end, { agent, host });
  }

  /** A write is over, complete or not. `isDurable`: done meant durable. */
  wrote(ledger: Ledger, generation: number, isDurable: boolean): void {
    this.written = ledger;
    this.generation = generation;
    this.late.wrote(ledger, generation, isDurable);
    for (const { first, end, agent, host } of ledger.holders()) this.#holders.set(first, end, { agent, host });
    this.#mutations.push(ledger);
  }

  /** A stage that changed what is there, and made no data, is over, complete or not. */
  changed(ledgers: readonly Ledger[]): void {
    this.#mutations.push(...ledgers);
  }

  /** Nothing is there any more; of a device, nothing that is of use. */
  removed(staysOnDevice: boolean): void {
    this.hasData = staysOnDevice;
    if (!staysOnDevice) this.late.removed();
    this.written = undefined;
    this.#holders = noHolders();
  }
}

function noHolders(): IntervalMap<Holder> {
  return new IntervalMap((a, b) => a.agent === b.agent && a.host === b.host);
}
