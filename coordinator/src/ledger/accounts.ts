/**
 * Where every unit stands: free in a pool, held by one lease, or done by one agent under one epoch, and never in two
 * of these at once. It must never know of time or membership: whoever calls it says which lease ends, and why.
 */
import { assert } from './assert.js';
import { IntervalMap, IntervalSet, type Range } from './intervals.js';
import { type LeaseEnd, LeaseRecord } from './lease.js';
import type { MemberRecord } from './members.js';
import type { ResolvedOptions } from './options.js';
import { type Pool, Pools } from './pools.js';
import type { Report } from './report.js';

/** Who did a unit, and under which lease and epoch. */
export interface DoneBy {
  readonly leaseId: number;
  readonly agent: string;
  readonly incarnation: number;
  readonly epoch: number;
}

/** Units [first, end) and the agent that did them. */
export interface DoneRange {
  readonly first: number;
  readonly end: number;
  readonly agent: string;
}

/** Units [first, end) and the lease under which they were done. */
export interface DonePart {
  readonly first: number;
  readonly end: number;
  readonly record: LeaseRecord;
}

/** Pools, leases and done units of one ledger. */
export class Accounts {
  readonly pools: Pools;
  readonly #units: number;
  readonly #leases = new Map<number, LeaseRecord>();
  /** Done units of leases that ended; those of live leases are in their records. The two never overlap. */
  readonly #done = new IntervalMap<DoneBy>(isSameDoneBy);
  /** Units that will not be done. */
  readonly #failed = new IntervalSet();
  readonly #leftOutUnits: number;
  #doneUnits = 0;
  #leasedUnits = 0;

  constructor(options: ResolvedOptions) {
    this.#units = options.units;
    this.pools = new Pools(options);
    this.#leftOutUnits = options.leftOut.reduce((units, [first, end]) => units + this.pools.remove(first, end), 0);
  }

  /** Units that failed. */
  get failedUnits(): number {
    return this.#failed.units;
  }

  /** The units that failed. */
  get failedRanges(): Range[] {
    return this.#failed.ranges;
  }

  /** Units that the pass has no part in. */
  get leftOutUnits(): number {
    return this.#leftOutUnits;
  }

  get doneUnits(): number {
    return this.#doneUnits;
  }

  /** Units of live leases that are not done. */
  get leasedUnits(): number {
    return this.#leasedUnits;
  }

  /** The lease with this id, running or ended. */
  lease(id: number): LeaseRecord | undefined {
    return this.#leases.get(id);
  }

  /** All leases, in the order in which they were granted. */
  leases(): Iterable<LeaseRecord> {
    return this.#leases.values();
  }

  /** Leases about `size` units of a pool to a member; undefined when all that is free is to be avoided. */
  open(holder: MemberRecord, pool: Pool, size: number, avoid: readonly Range[]): LeaseRecord | undefined {
    const { agent, incarnation } = holder;
    const cut = this.pools.cut(pool, size, avoid);
    if (cut === undefined) return undefined;
    const { first, end, epoch } = cut;
    const id = this.#leases.size + 1;
    const record = new LeaseRecord({ id, epoch, agent, incarnation, first, end }, holder, pool);
    this.#leases.set(id, record);
    holder.leases.add(record);
    holder.openLeases += 1;
    this.#leasedUnits += record.units;
    this.#checkSums();
    return record;
  }

  /** Counts what a checked report of a running lease adds; ends the lease when nothing is left of it. */
  progress(record: LeaseRecord, report: Report): { newlyDone: number; completed: boolean } {
    const { holder } = record;
    const wasOpen = record.isOpen;
    const newlyDone = addApart(record.done, record.failed, report.done);
    const newlyFailed = addApart(record.failed, record.done, report.failed ?? []);
    for (const [first, end] of record.failed.ranges) this.#failed.add(first, end);
    addAll(record.worked, report.done);
    addAll(record.worked, report.written);
    if (wasOpen && !record.isOpen) holder.openLeases -= 1;
    holder.done += newlyDone;
    this.#doneUnits += newlyDone;
    this.#leasedUnits -= newlyDone + newlyFailed;
    this.#checkSums();
    const completed = record.done.units + record.failed.units === record.units;
    if (completed) this.end(record, 'completed');
    return { newlyDone, completed };
  }

  /** Counts what a checked report of an ended lease adds: nothing to the coverage, all of it rework. */
  rework(record: LeaseRecord, report: Report): number {
    const newRework = addAll(record.worked, report.done) + addAll(record.worked, report.written);
    record.holder.rework += newRework;
    return newRework;
  }

  /** Ends a lease: what is done is kept for good, the rest goes back to its pool. Returns the rest. */
  end(record: LeaseRecord, why: LeaseEnd): Range[] {
    const { lease, holder, done, worked } = record;
    const { agent, incarnation, epoch } = lease;
    assert(record.ended === undefined, () => `lease ${lease.id} ended twice`);
    if (record.isOpen) holder.openLeases -= 1;
    holder.leases.delete(record);
    record.ended = why;
    for (const [first, end] of done.ranges) {
      assert(this.#done.slice(first, end).length === 0, () => `units of [${first}, ${end}) are done twice`);
      this.#done.set(first, end, { leaseId: lease.id, agent, incarnation, epoch });
    }
    const rest = done.gaps(lease.first, lease.end).flatMap(([first, end]) => record.failed.gaps(first, end));
    for (const [first, end] of rest) {
      this.pools.put(record.pool, first, end, epoch);
      this.#leasedUnits -= end - first;
    }
    holder.rework += worked.units - done.units;
    this.#checkSums();
    return rest;
  }

  /** The lease under which a unit was done, once that has ended. */
  leaseThatDid(unit: number): LeaseRecord | undefined {
    const [entry] = this.#done.slice(unit, unit + 1);
    return entry === undefined ? undefined : this.#leases.get(entry.value.leaseId);
  }

  /** What one incarnation did under leases that ended. */
  doneBy(agent: string, incarnation: number): Range[] {
    return this.#done.entries
      .filter(({ value }) => value.agent === agent && value.incarnation === incarnation)
      .map(({ first, end }) => [first, end]);
  }

  /** All that is done, ascending and merged by agent; `members` are those whose running leases count too. */
  doneRanges(members: Iterable<MemberRecord>): DoneRange[] {
    const merged = new IntervalMap<string>();
    for (const { first, end, record } of this.doneParts(members)) merged.set(first, end, record.lease.agent);
    return merged.entries.map(({ first, end, value }) => ({ first, end, agent: value }));
  }

  /** All that is done, ascending, with the lease under which it was; `members` are those whose running leases count too. */
  doneParts(members: Iterable<MemberRecord>): DonePart[] {
    const parts: DonePart[] = [];
    for (const { first, end, value } of this.#done.entries) {
      const record = this.#leases.get(value.leaseId);
      assert(record !== undefined, () => `no lease ${value.leaseId} of done units`);
      parts.push({ first, end, record });
    }
    for (const { leases } of members) {
      for (const record of leases) {
        for (const [first, end] of record.done.ranges) parts.push({ first, end, record });
      }
    }
    return parts.sort((a, b) => a.first - b.first);
  }

  #checkSums(): void {
    const free = this.pools.units;
    const apart = this.#failed.units + this.#leftOutUnits;
    const sum = this.#doneUnits + this.#leasedUnits + free + apart;
    const shown = () =>
      `${this.#doneUnits} done + ${this.#leasedUnits} leased + ${free} free + ${apart} failed or left out are not ${this.#units}`;
    assert(sum === this.#units, shown);
  }
}

function isSameDoneBy(a: DoneBy, b: DoneBy): boolean {
  return a.leaseId === b.leaseId && a.epoch === b.epoch;
}

/** Adds those parts of ranges that are not in another set, and returns how many units were new. */
function addApart(set: IntervalSet, other: IntervalSet, ranges: readonly Range[]): number {
  return ranges.reduce((added, [first, end]) => added + addAll(set, other.gaps(first, end)), 0);
}

/** Adds ranges to a set, and returns how many of their units were not there. */
function addAll(set: IntervalSet, ranges: readonly Range[]): number {
  return ranges.reduce((added, [first, end]) => added + set.add(first, end), 0);
}
