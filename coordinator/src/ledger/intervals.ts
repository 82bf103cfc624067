/**
 * Sorted half-open intervals over unit numbers, with a value each (a map) or none (a set). The cost is that of the
 * number of intervals, never of the number of units.
 */
import { assert } from './assert.js';

/** Units first…end−1. */
export type Range = readonly [first: number, end: number];

/** A range and its value. */
export interface Entry<V> {
  readonly first: number;
  readonly end: number;
  readonly value: V;
}

/** A partial function from units to values. Touching entries with the same value are one entry. */
export class IntervalMap<V> {
  readonly #same: (a: V, b: V) => boolean;
  #entries: Entry<V>[] = [];
  #units = 0;

  constructor(same: (a: V, b: V) => boolean = Object.is) {
    this.#same = same;
  }

  /** How many units have a value. */
  get units(): number {
    return this.#units;
  }

  /** All entries, ascending. Valid until the next change. */
  get entries(): readonly Entry<V>[] {
    return this.#entries;
  }

  /** Gives all of [first, end) the value, whatever they had. */
  set(first: number, end: number, value: V): void {
    this.#replace(first, end, { first, end, value });
  }

  /** Takes the value from all of [first, end). */
  delete(first: number, end: number): void {
    this.#replace(first, end, undefined);
  }

  /** The parts of [first, end) that have a value, cut to it. */
  slice(first: number, end: number): Entry<V>[] {
    const found: Entry<V>[] = [];
    for (let at = this.#firstEndingAfter(first); at < this.#entries.length; at += 1) {
      const entry = this.#at(at);
      if (entry.first >= end) break;
      found.push({ first: Math.max(first, entry.first), end: Math.min(end, entry.end), value: entry.value });
    }
    return found;
  }

  /** The parts of [first, end) that have no value. */
  gaps(first: number, end: number): Range[] {
    const found: Range[] = [];
    let from = first;
    for (let at = this.#firstEndingAfter(first); at < this.#entries.length && from < end; at += 1) {
      const entry = this.#at(at);
      if (entry.first > from) found.push([from, Math.min(end, entry.first)]);
      from = entry.end;
    }
    if (from < end) found.push([from, end]);
    return found;
  }

  #replace(first: number, end: number, entry: Entry<V> | undefined): void {
    assert(
      Number.isSafeInteger(first) && Number.isSafeInteger(end) && first < end,
      () => `no interval: [${first}, ${end})`,
    );
    // Entries from `low` to before `high` overlap [first, end), or touch it and so may have to be merged with it.
    const low = this.#firstEndingAfter(first - 1);
    let high = low;
    let before: Entry<V> | undefined;
    let after: Entry<V> | undefined;
    let middle = entry;
    for (; high < this.#entries.length && this.#at(high).first <= end; high += 1) {
      const old = this.#at(high);
      this.#units -= old.end - old.first;
      const joins = middle !== undefined && this.#same(old.value, middle.value);
      if (middle !== undefined && joins) {
        middle = { first: Math.min(old.first, middle.first), end: Math.max(old.end, middle.end), value: middle.value };
        continue;
      }
      if (old.first < first) before = { first: old.first, end: Math.min(first, old.end), value: old.value };
      if (old.end > end) after = { first: Math.max(end, old.first), end: old.end, value: old.value };
    }
    const fresh = [before, middle, after].filter((piece) => piece !== undefined);
    for (const piece of fresh) this.#units += piece.end - piece.first;
    this.#entries.splice(low, high - low, ...fresh);
  }

  /** Index of the first entry whose end is after `unit`; the number of entries when there is none. */
  #firstEndingAfter(unit: number): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#at(middle).end > unit) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #at(index: number): Entry<V> {
    const entry = this.#entries[index];
    assert(entry !== undefined, () => `no entry ${index} of ${this.#entries.length}`);
    return entry;
  }
}

/** A set of units. */
export class IntervalSet {
  readonly #map = new IntervalMap<true>();

  /** How many units are in the set. */
  get units(): number {
    return this.#map.units;
  }

  /** The set's intervals, ascending and apart. */
  get ranges(): Range[] {
    return this.#map.entries.map(({ first, end }) => [first, end]);
  }

  /** Adds [first, end), and returns how many of its units were not there. */
  add(first: number, end: number): number {
    const before = this.#map.units;
    if (this.gaps(first, end).length > 0) this.#map.set(first, end, true);
    return this.#map.units - before;
  }

  /** The parts of [first, end) that are not in the set. */
  gaps(first: number, end: number): Range[] {
    return this.#map.gaps(first, end);
  }
}

/** How many units lie in at least one of the ranges, which may overlap and come in any order. */
export function unionUnits(ranges: readonly Range[]): number {
  let units = 0;
  let reached = Number.NEGATIVE_INFINITY;
  for (const [first, end] of ranges.toSorted((a, b) => a[0] - b[0])) {
    units += Math.max(0, end - Math.max(first, reached));
    reached = Math.max(reached, end);
  }
  return units;
}
