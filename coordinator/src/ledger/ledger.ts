/**
 * The ledger of one pass of one stage: which units are leased, done, reworked, settled, and by whom. It must never
 * know of I/O, clocks or messages: whoever calls it says what time it is.
 */
import { Accounts } from './accounts.js';
import { assert, assertInteger } from './assert.js';
import type { AgentCoverage, Coverage, Expiry, Unsettled } from './coverage.js';
import { IntervalMap, IntervalSet, type Range } from './intervals.js';
import type { Lease, LeaseEnd, LeaseRecord } from './lease.js';
import { isPresent, type MemberRecord, Members } from './members.js';
import {
  type Deed,
  type LedgerOptions,
  MAX_OPEN_LEASES_PER_AGENT,
  type ResolvedOptions,
  resolveOptions,
  type WriterRange,
} from './options.js';
import { choosePool, isGone } from './placement.js';
import type { Pool } from './pools.js';
import { type Report, type ReportOutcome, refusalOf, refused } from './report.js';
import { Settling } from './settling.js';
import type { LostUnits } from './units-by-agent.js';

/**
 * Accounts for units 0…N−1 of one pass of one stage, each exactly once.
 *
 * Times (`nowMs`) are the coordinator's monotonic clock in milliseconds; one that lies before an earlier one counts as
 * the earlier one. Everything is deterministic. A call that breaks a limit or an option that no plan resolves to
 * throws `LedgerInvariantError`; nothing that an agent can say makes a call throw, if its types were checked.
 */
export class Ledger {
  readonly #options: ResolvedOptions;
  readonly #members: Members;
  readonly #accounts: Accounts;
  readonly #settling = new Settling();
  #nowMs = Number.NEGATIVE_INFINITY;
  #isHandoverHeld = false;

  constructor(options: LedgerOptions) {
    this.#options = resolveOptions(options);
    this.#members = new Members(this.#options);
    this.#accounts = new Accounts(this.#options);
    const { assign } = this.#options;
    if (assign.kind === 'static') {
      for (const { agent, incarnation, host } of assign.members) this.join(agent, incarnation, host, assign.nowMs);
    }
  }

  /**
   * An agent came, or came back; counts as its first renewal. The same incarnation keeps the leases that still run. A
   * higher one fences the older: its leases end at once. An older or dead incarnation stays `fenced`. At the limit of
   * members a new agent finds the ledger `full`.
   */
  join(agent: string, incarnation: number, host: string, nowMs: number): 'joined' | 'fenced' | 'full' {
    assertInteger(incarnation, 0, 'incarnation');
    const now = this.#advance(nowMs);
    const member = this.#members.get(agent);
    if (member === undefined) {
      if (this.#members.isFull()) return 'full';
      this.#members.add({ agent, incarnation, host }, 'live', now);
    } else {
      const isReplay = incarnation === member.incarnation && member.presence === 'dead';
      if (incarnation < member.incarnation || isReplay) return 'fenced';
      if (incarnation > member.incarnation) {
        this.#endAll(member, 'fenced', Math.max(now, this.#members.expiresMs(member)));
        member.incarnation = incarnation;
      }
      member.presence = 'live';
      member.renewedMs = now;
      member.host = host;
    }
    this.#isHandoverHeld = false;
    return 'joined';
  }

  /**
   * The coordinator acknowledges a renewal at `nowMs`: all leases of the agent run until `nowMs` + `leaseMs`. `fenced`
   * when this incarnation has been replaced, is dead, or never joined. After an expiry it is renewed without leases.
   */
  renew(agent: string, incarnation: number, nowMs: number): 'renewed' | 'fenced' {
    const now = this.#advance(nowMs);
    const member = this.#members.get(agent);
    if (member === undefined || incarnation !== member.incarnation) return 'fenced';
    if (member.presence === 'dead' || member.presence === 'left') return 'fenced';
    member.presence = 'live';
    member.renewedMs = now;
    this.#isHandoverHeld = false;
    return 'renewed';
  }

  /**
   * An agent is lost. `knownDead`, its process or node is gone: everything it held is handed over at once and nothing
   * of it can still arrive. Otherwise its connection broke: it gets no more leases, and those it has run to their end.
   * Returns the leases that ended. An agent that never joined is lost at once, either way.
   */
  lost(agent: string, incarnation: number, how: { readonly knownDead: boolean }, nowMs: number): Lease[] {
    const now = this.#advance(nowMs);
    this.#isHandoverHeld = false;
    const member = this.#members.get(agent);
    if (how.knownDead) this.#settling.settle(agent, incarnation);
    if (member === undefined) {
      if (!this.#members.isFull()) {
        this.#members.add({ agent, incarnation, host: '' }, how.knownDead ? 'dead' : 'expired', now);
      }
      return [];
    }
    if (incarnation !== member.incarnation) return [];
    if (!how.knownDead) {
      if (member.presence === 'live') member.presence = 'absent';
      return [];
    }
    const ended = this.#endAll(member, 'dead', now);
    member.presence = 'dead';
    return ended;
  }

  /** The agent says that nothing of its ended leases is in flight any more: their units are settled. */
  drained(agent: string, incarnation: number): void {
    this.#settling.settle(agent, incarnation);
  }

  /** The agent goes, with nothing in flight: what it has not done is given back and settled. Returns its leases. */
  leave(agent: string, incarnation: number): Lease[] {
    const member = this.#members.get(agent);
    if (member === undefined || member.incarnation !== incarnation || member.presence === 'dead') return [];
    const records = [...member.leases];
    for (const record of records) this.#accounts.end(record, 'released');
    this.#settling.settle(agent, incarnation);
    member.presence = 'left';
    this.#isHandoverHeld = false;
    return records.map((record) => record.lease);
  }

  /**
   * The next lease for a live agent, or undefined when there is nothing that it may take now, or it already works on
   * 1,024 leases. How many leases deep an agent works is the caller's to decide. Nothing of `avoid` is given, which ascends
   * and does not overlap with itself.
   */
  grant(agent: string, nowMs: number, avoid: readonly Range[] = []): Lease | undefined {
    const now = this.#advance(nowMs);
    const member = this.#members.get(agent);
    if (member === undefined || !this.#members.isLive(member, now)) return undefined;
    if (member.openLeases >= MAX_OPEN_LEASES_PER_AGENT) return undefined;
    const { assign, leaseUnits, endsTogether } = this.#options;
    const { pools } = this.#accounts;
    const pool = choosePool(pools.all, { assign, member, members: this.#members, nowMs: now });
    if (pool === undefined) return undefined;
    const workers = this.#members.countLive(now);
    const size = assign.kind === 'static' || !endsTogether ? leaseUnits : pools.guidedSize(leaseUnits, workers);
    const record = this.#accounts.open(member, pool, size, avoid);
    if (record === undefined) return undefined;
    record.grantedMs = now;
    return record.lease;
  }

  /** Takes over who takes part, as they stand, from the ledger of the pass before; this one must be new. */
  follow(before: Ledger): void {
    const now = this.#advance(before.#nowMs);
    for (const member of before.#members.all()) {
      const known = this.#members.get(member.agent) ?? this.#members.add(member, member.presence, now);
      known.incarnation = member.incarnation;
      known.presence = member.presence;
      known.renewedMs = member.renewedMs;
    }
  }

  /** Applies an agent's cumulative progress of one lease; see {@link ReportOutcome}. */
  report(report: Report): ReportOutcome {
    const record = this.#accounts.lease(report.leaseId);
    if (record === undefined) return refused('unknown-lease', `there is no lease ${report.leaseId}`);
    const refusal = refusalOf(report, record.lease);
    if (refusal !== undefined) return refusal;
    if (record.ended === 'completed') return { kind: 'applied', newlyDone: 0, completed: true };
    if (record.ended !== undefined) {
      return { kind: 'fenced', because: record.ended, newRework: this.#accounts.rework(record, report) };
    }
    const { newlyDone, completed } = this.#accounts.progress(record, report);
    if (newlyDone > 0) record.doneMs = this.#nowMs;
    return { kind: 'applied', newlyDone, completed };
  }

  /**
   * A sync of the lease failed: what is not done goes back to be granted. It is unsettled, since pages that failed to
   * sync may reach the storage later. False when the agent does not hold this lease.
   */
  undo(agent: string, incarnation: number, leaseId: number, nowMs: number): boolean {
    const now = this.#advance(nowMs);
    const record = this.#liveLease(agent, incarnation, leaseId);
    if (record === undefined) return false;
    this.#endUnsettled(record, 'undone', now);
    return true;
  }

  /**
   * The agent gives back what it has not done of a lease, with nothing of it in flight. False when the agent does not
   * hold this lease.
   */
  release(agent: string, incarnation: number, leaseId: number): boolean {
    const record = this.#liveLease(agent, incarnation, leaseId);
    if (record === undefined) return false;
    this.#accounts.end(record, 'released');
    return true;
  }

  /** Ends the leases whose time is up, unless handover has to wait, and stops waiting for writes past their time. */
  expire(nowMs: number): Expiry {
    const now = this.#advance(nowMs);
    this.#settling.timeOut(now);
    const due = this.#members.due(now);
    if (due.length === 0) return { leases: [], handover: { waiting: false } };
    const handover = this.#members.handover(now);
    this.#isHandoverHeld = handover.waiting;
    if (handover.waiting) return { leases: [], handover };
    const leases = due.flatMap((member) => {
      const ended = this.#endAll(member, 'expired', now);
      member.presence = 'expired';
      return ended;
    });
    return { leases, handover };
  }

  /**
   * The pass is over and nothing is handed over any more: leases that still run end, without the caution of a hand-over,
   * and what their holders may have in flight is waited for from when they would have run out.
   */
  close(nowMs: number): void {
    const now = this.#advance(nowMs);
    for (const member of this.#members.all()) {
      if (!isPresent(member)) continue;
      this.#endAll(member, 'expired', Math.max(now, this.#members.expiresMs(member)));
      member.presence = 'expired';
    }
  }

  /**
   * When {@link expire} has something to do next, in the same milliseconds as `nowMs`; undefined when only another
   * call can bring that about. Each call that changes the ledger may move it.
   */
  nextEventMs(): number | undefined {
    const settled = this.#settling.nextMs();
    const expiry = this.#isHandoverHeld ? undefined : this.#members.nextExpiryMs();
    if (settled === undefined || expiry === undefined) return settled ?? expiry;
    return Math.min(settled, expiry);
  }

  /** The lease with this id, running or ended. */
  lease(id: number): Lease | undefined {
    return this.#accounts.lease(id)?.lease;
  }

  /** The leases that an agent holds, in the order in which they were granted. */
  leasesOf(agent: string): Lease[] {
    return [...(this.#members.get(agent)?.leases ?? [])].map((record) => record.lease);
  }

  /** How many leases with units to work on an agent holds. */
  openLeasesOf(agent: string): number {
    return this.#members.get(agent)?.openLeases ?? 0;
  }

  /** Everything there is to count. */
  coverage(): Coverage {
    const agents = new Map<string, AgentCoverage>();
    let rework = 0;
    for (const member of this.#members.all()) {
      rework += member.rework;
      const { done, openLeases } = member;
      agents.set(member.agent, { done, rework: member.rework, leases: member.leases.size, openLeases });
    }
    const lost = this.#lostUnits();
    return {
      units: this.#options.units,
      done: this.#accounts.doneUnits,
      leased: this.#accounts.leasedUnits,
      free: this.#accounts.pools.units - lost,
      lost,
      failed: this.#accounts.failedUnits,
      leftOut: this.#accounts.leftOutUnits,
      rework,
      indeterminate: this.#settling.indeterminateUnits,
      unsettled: this.#settling.units,
      agents,
    };
  }

  /** Whether every unit is done. */
  isComplete(): boolean {
    return this.#accounts.doneUnits === this.#options.units;
  }

  /** Whether nothing is missing: every unit is done, failed with an error that passes, or has no part in the pass. */
  isAccountedFor(): boolean {
    const { doneUnits, failedUnits, leftOutUnits } = this.#accounts;
    return doneUnits + failedUnits + leftOutUnits === this.#options.units;
  }

  /** Whether there is nothing left to do: every unit is accounted for, or lost with its writer. */
  isOver(): boolean {
    const { doneUnits, failedUnits, leftOutUnits } = this.#accounts;
    return doneUnits + failedUnits + leftOutUnits + this.#lostUnits() === this.#options.units;
  }

  /** Whether nobody can have I/O in flight: no lease runs, and no lost holder is waited for. */
  isSettled(): boolean {
    return this.#accounts.leasedUnits === 0 && this.#settling.pending.length === 0;
  }

  /** The units that failed with errors that pass. */
  failedRanges(): Range[] {
    return this.#accounts.failedRanges;
  }

  /** The units that are not done. */
  unfinished(): Range[] {
    const done = new IntervalSet();
    for (const { first, end } of this.#accounts.doneRanges(this.#members.all())) done.add(first, end);
    return done.gaps(0, this.#options.units);
  }

  /**
   * Who did a unit, and when: between when it was given the lease and when it last said that more of it is done, as far
   * as this ledger was told the time. Known once the lease has ended.
   */
  doneBy(unit: number): { readonly agent: string; readonly afterMs: number; readonly beforeMs: number } | undefined {
    const record = this.#accounts.leaseThatDid(unit);
    return record && { agent: record.lease.agent, afterMs: record.grantedMs, beforeMs: record.doneMs };
  }

  /** Who did what is done, ascending and merged by agent: the writers of the next stage's placement. */
  writers(): WriterRange[] {
    const ranges = this.#accounts.doneRanges(this.#members.all());
    return ranges.map((range) => ({ ...range, host: this.#members.get(range.agent)?.host ?? '' }));
  }

  /** Who did what and when, ascending, also under leases that still run; times as {@link doneBy} has them. */
  deeds(): Deed[] {
    return this.#accounts.doneParts(this.#members.all()).map(({ first, end, record }) => ({
      first,
      end,
      agent: record.lease.agent,
      host: record.holder.host,
      afterMs: record.grantedMs,
      beforeMs: record.doneMs,
    }));
  }

  /**
   * Who may have touched what, ascending and merged by agent: who did what is done, and of the rest who was given it last. Of
   * node-local data, what is left of a write that was broken off is there, and nobody else reaches it.
   */
  holders(): WriterRange[] {
    const held = new IntervalMap<string>();
    for (const { lease } of this.#accounts.leases()) held.set(lease.first, lease.end, lease.agent);
    for (const { first, end, agent } of this.#accounts.doneRanges(this.#members.all())) held.set(first, end, agent);
    return held.entries.map(({ first, end, value: agent }) => ({
      first,
      end,
      agent,
      host: this.#members.get(agent)?.host ?? '',
    }));
  }

  /** Units of node-local data whose writer is gone, by writer. They are free again when it comes back. */
  lostUnits(): WriterRange[] {
    return this.#lostPools().flatMap(({ owner, free }) =>
      free.entries.map(({ first, end }) => ({ first, end, agent: owner?.agent ?? '', host: owner?.host ?? '' })),
    );
  }

  /**
   * Units where an older generation is nobody's fault: a late write of this agent was waited for in vain, or it was
   * lost before what it did was durable.
   */
  indeterminate(agent: string): Range[] {
    return this.#settling.indeterminateOf(agent);
  }

  /** The same of every agent. */
  allIndeterminate(): LostUnits[] {
    return this.#settling.allIndeterminate;
  }

  /** Lost holders whose writes may still arrive. */
  unsettled(): readonly Unsettled[] {
    return [...this.#settling.pending];
  }

  /** Ends all leases of a member that is lost; unless it is dead, its writes may arrive until after `stoppedMs`. */
  #endAll(member: MemberRecord, why: 'expired' | 'dead' | 'fenced', stoppedMs: number): Lease[] {
    const records = [...member.leases];
    for (const record of records) {
      if (why === 'dead') this.#accounts.end(record, why);
      else this.#endUnsettled(record, why, stoppedMs);
    }
    if (!this.#options.durable && member.presence !== 'left') {
      // What it did may never have reached the storage.
      for (const [first, end] of this.#accounts.doneBy(member.agent, member.incarnation)) {
        this.#settling.markIndeterminate(member.agent, first, end);
      }
    }
    return records.map((record) => record.lease);
  }

  #endUnsettled(record: LeaseRecord, why: LeaseEnd, stoppedMs: number): void {
    const { agent, incarnation } = record.lease;
    const untilMs = stoppedMs + this.#options.settleMs;
    for (const [first, end] of this.#accounts.end(record, why)) {
      this.#settling.waitFor({ agent, incarnation, first, end, untilMs });
    }
  }

  #liveLease(agent: string, incarnation: number, leaseId: number): LeaseRecord | undefined {
    const record = this.#accounts.lease(leaseId);
    if (record === undefined || record.ended !== undefined) return undefined;
    return record.lease.agent === agent && record.lease.incarnation === incarnation ? record : undefined;
  }

  #lostPools(): Pool[] {
    const { assign } = this.#options;
    if (assign.kind !== 'dynamic' || assign.placement.kind !== 'same') return [];
    return this.#accounts.pools.all.filter(
      ({ owner }) => owner !== undefined && isGone(this.#members.get(owner.agent)),
    );
  }

  #lostUnits(): number {
    return this.#lostPools().reduce((units, { free }) => units + free.units, 0);
  }

  #advance(nowMs: number): number {
    assert(Number.isFinite(nowMs), () => `nowMs must be a time, not ${nowMs}`);
    this.#nowMs = Math.max(this.#nowMs, nowMs);
    return this.#nowMs;
  }
}
