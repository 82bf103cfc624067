/**
 * What a stage did second by second, over all agents: each tells its own seconds, cut on the coordinator's clock, and here
 * they are added up. Bounded: a stage that is longer than a day has entries of two seconds, then of four.
 */
import { SeedstormError } from '@seedstorm/errors';
import type { SecondCounters, SecondResult, SecondsResult } from '@seedstorm/proto';
import { count } from './numbers.js';

/** Entries that are kept: the seconds of a day. */
const maxEntries = 86_400;
/** Seconds that an agent may be ahead of the coordinator, by what its clock is not known. */
const aheadSeconds = 5;

/** What was done in an entry. */
interface Entry {
  bytes: number;
  operations: number;
  /** Agents that told of it. */
  agents: number;
}

/** The seconds of a stage. */
export class SecondTotals {
  #entries: Entry[] = [];
  #width = 1;
  /** The last second that each agent told of. */
  readonly #last = new Map<object, number>();

  constructor(private readonly limit = maxEntries) {}

  /**
   * Looks whether what an agent says can be true; `elapsedSeconds` have gone by since the common start.
   * @throws SeedstormError MESSAGE_INVALID when it cannot.
   */
  check(agent: object, seconds: readonly SecondCounters[], elapsedSeconds: number): void {
    let last = this.#last.get(agent) ?? -1;
    for (const { index, bytes, operations } of seconds) {
      count(bytes, 'bytes of a second');
      count(operations, 'operations of a second');
      if (index <= last) throw wrong(`second ${index} comes after second ${last}`);
      if (index > elapsedSeconds + aheadSeconds) throw wrong(`second ${index} is still to come`);
      last = index;
    }
  }

  /** Adds what an agent says, which must have been checked. */
  add(agent: object, seconds: readonly SecondCounters[]): void {
    for (const { index, bytes, operations } of seconds) this.#add(agent, index, Number(bytes), Number(operations));
  }

  /** The whole of it; undefined when no second was told of. */
  result(firstDoneNs: bigint, lastDoneNs: bigint): SecondsResult | undefined {
    const entries = this.#entries;
    if (entries.length === 0) return undefined;
    // The first has the start in it, and in the last agents were done.
    const whole = entries.slice(1, -1).map((entry, i) => ({ ...entry, at: (i + 1) * this.#width }));
    const isData = whole.some(({ bytes }) => bytes > 0);
    whole.sort((a, b) => (isData ? b.bytes - a.bytes : b.operations - a.operations));
    return {
      width: this.#width,
      bytes: entries.map(({ bytes }) => BigInt(bytes)),
      operations: entries.map(({ operations }) => BigInt(operations)),
      agents: entries.map(({ agents }) => agents),
      whole: whole.length,
      fastest: this.#entry(whole[0]),
      median: this.#entry(whole[Math.floor(whole.length / 2)]),
      slowest: this.#entry(whole.at(-1)),
      firstDoneNs,
      lastDoneNs,
    };
  }

  #add(agent: object, second: number, bytes: number, operations: number): void {
    while (Math.floor(second / this.#width) >= this.limit) this.#coarsen();
    const at = Math.floor(second / this.#width);
    while (this.#entries.length <= at) this.#entries.push({ bytes: 0, operations: 0, agents: 0 });
    const before = this.#last.get(agent);
    const entry = this.#entries[at];
    if (entry === undefined) return;
    entry.bytes += bytes;
    entry.operations += operations;
    if (before === undefined || Math.floor(before / this.#width) < at) entry.agents += 1;
    this.#last.set(agent, second);
  }

  /** Makes one entry of each two. Of their agents the fewer count: no more have covered all of it. */
  #coarsen(): void {
    this.#width *= 2;
    const pairs: Entry[] = [];
    for (let i = 0; i < this.#entries.length; i += 2) {
      const [a, b] = [this.#entries[i], this.#entries[i + 1]];
      if (a === undefined) continue;
      pairs.push(
        b === undefined
          ? a
          : {
              bytes: a.bytes + b.bytes,
              operations: a.operations + b.operations,
              agents: Math.min(a.agents, b.agents),
            },
      );
    }
    this.#entries = pairs;
  }

  #entry(entry: (Entry & { readonly at: number }) | undefined): SecondResult | undefined {
    if (entry === undefined) return undefined;
    const { at, bytes, operations } = entry;
    return { at, bytesPerSecond: bytes / this.#width, operationsPerSecond: operations / this.#width };
  }
}

function wrong(what: string): SeedstormError {
  return new SeedstormError({ code: 'SEEDSTORM_E_MESSAGE_INVALID', what: `a report cannot be true: ${what}` });
}
