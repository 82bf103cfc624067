/**
 * Units that nobody holds, in pools by whom they belong to: a static share to its agent, a range to its writer.
 * Leases are cut from a pool; what a lease does not finish goes back to the pool that it came from.
 */
import { assert } from './assert.js';
import { IntervalMap, IntervalSet, type Range } from './intervals.js';
import type { Assign, ResolvedOptions, WriterRange } from './options.js';

/** Whom a pool belongs to. */
export interface Owner {
  readonly agent: string;
  readonly host: string;
}

/** Free units with one owner, or none. */
export interface Pool {
  readonly owner: Owner | undefined;
  /** The value of a unit is the epoch of its last lease, 0 before the first. */
  readonly free: IntervalMap<number>;
}

/** What was taken from a pool; `epoch` is above that of every earlier lease of these units. */
export interface Cut {
  readonly first: number;
  readonly end: number;
  readonly epoch: number;
}

/** All pools of one ledger. */
export class Pools {
  readonly #boundaryUnits: number;
  readonly #pools: Pool[] = [];
  readonly #byOwner = new Map<string, Pool>();
  #units = 0;

  constructor({ units, boundaryUnits, assign }: ResolvedOptions) {
    this.#boundaryUnits = boundaryUnits;
    for (const { first, end, owner } of sharesOf(units, boundaryUnits, assign)) {
      this.put(this.#poolOf(owner), first, end, 0);
    }
  }

  /** Free units in all pools. */
  get units(): number {
    return this.#units;
  }

  get all(): readonly Pool[] {
    return this.#pools;
  }

  /** Takes units away for good, whosever they are. Returns how many of them were free. */
  remove(first: number, end: number): number {
    let removed = 0;
    for (const { free } of this.#pools) {
      const before = free.units;
      if (free.slice(first, end).length > 0) free.delete(first, end);
      removed += before - free.units;
    }
    this.#units -= removed;
    return removed;
  }

  /** Frees units whose last lease had this epoch. */
  put({ free }: Pool, first: number, end: number, epoch: number): void {
    assert(free.slice(first, end).length === 0, () => `units of [${first}, ${end}) are free already`);
    free.set(first, end, epoch);
    this.#units += end - first;
  }

  /**
   * Takes about `size` units from the start of a pool, up to an object boundary. It ends before one only where the
   * next unit is not free, or another's: what is left of an object after a lease that was done in part. Undefined when
   * everything that is free is in `avoid`, which ascends and does not overlap with itself.
   */
  cut(pool: Pool, size: number, avoid: readonly Range[] = []): Cut | undefined {
    const start = firstOutside(pool.free.entries, avoid);
    if (start === undefined) return undefined;
    const { first } = start;
    const ahead = Math.floor((first + size) / this.#boundaryUnits) * this.#boundaryUnits;
    const boundary = Math.min(ahead, avoid.find(([each]) => each > first)?.[0] ?? ahead);
    let end = first;
    let epoch = 0;
    for (const entry of pool.free.entries) {
      if (entry.end <= first) continue;
      if (entry.first > end || end >= boundary) break;
      end = Math.min(entry.end, boundary);
      epoch = Math.max(epoch, entry.value);
    }
    pool.free.delete(first, end);
    this.#units -= end - first;
    return { first, end, epoch: epoch + 1 };
  }

  /** The size of the next lease: the target, less towards the end so that all agents end together. */
  guidedSize(leaseUnits: number, workers: number): number {
    const fair = Math.floor(this.#units / (2 * workers * this.#boundaryUnits)) * this.#boundaryUnits;
    return Math.max(this.#boundaryUnits, Math.min(leaseUnits, fair));
  }

  #poolOf(owner: Owner | undefined): Pool {
    const key = owner === undefined ? '' : JSON.stringify([owner.agent, owner.host]);
    const known = this.#byOwner.get(key);
    if (known !== undefined) return known;
    const pool: Pool = { owner, free: new IntervalMap() };
    this.#pools.push(pool);
    this.#byOwner.set(key, pool);
    return pool;
  }
}

/** The first free unit that is not to be avoided. */
function firstOutside(
  entries: readonly { readonly first: number; readonly end: number }[],
  avoid: readonly Range[],
): { readonly first: number } | undefined {
  for (const { first, end } of entries) {
    let at = first;
    for (const [from, to] of avoid) if (from <= at && at < to) at = to;
    if (at < end) return { first: at };
  }
  return undefined;
}

interface Share {
  readonly first: number;
  readonly end: number;
  readonly owner: Owner | undefined;
}

function sharesOf(units: number, boundaryUnits: number, assign: Assign): Share[] {
  if (assign.kind === 'static') return equalShares(units, boundaryUnits, assign.members);
  if (assign.placement.kind === 'any') return [{ first: 0, end: units, owner: undefined }];
  return writtenShares(units, assign.placement.writers);
}

/** Contiguous shares that differ by at most one object; with more owners than objects, some get none. */
function equalShares(units: number, boundaryUnits: number, owners: readonly Owner[]): Share[] {
  const objects = Math.ceil(units / boundaryUnits);
  const each = Math.floor(objects / owners.length);
  const oneMore = objects % owners.length;
  const shares: Share[] = [];
  let first = 0;
  for (const [index, owner] of owners.entries()) {
    const end = Math.min(units, first + (index < oneMore ? each + 1 : each) * boundaryUnits);
    if (end > first) shares.push({ first, end, owner });
    first = end;
  }
  return shares;
}

function writtenShares(units: number, writers: readonly WriterRange[]): Share[] {
  const written = new IntervalSet();
  for (const { first, end } of writers) written.add(first, end);
  const unwritten = written.gaps(0, units).map(([first, end]) => ({ first, end, owner: undefined }));
  return [...writers.map(({ first, end, agent, host }) => ({ first, end, owner: { agent, host } })), ...unwritten];
}
