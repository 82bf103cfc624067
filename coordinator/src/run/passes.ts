/**
 * The passes of one stage over its units, each with a ledger of its own. A stage that goes by time begins the next pass as
 * soon as the one before has nothing more to give to an agent, so that nobody waits at the border; any other has one pass.
 * It has a ledger's face, with counts over all passes; leases are numbered over all of them. No I/O, no clock.
 */
import {
  type AgentCoverage,
  type Coverage,
  type Expiry,
  IntervalSet,
  type Lease,
  type Ledger,
  type LostUnits,
  type Range,
  type Report,
  type ReportOutcome,
  UnitsByAgent,
  unionUnits,
  type WriterRange,
} from '../ledger/index.js';
import { ownUnits } from './own-units.js';

/** Passes that may be under way at once: where agents differ, the fast ones are ahead of the slow ones. */
const maxOpenPasses = 1024;

interface Pass {
  readonly ledger: Ledger;
  /** Which pass it is, from 0. */
  readonly round: number;
  /** The number of each lease over all passes, by its number in the ledger. */
  readonly numbers: number[];
}

/** What passes that are over came to. */
interface Sums {
  passes: number;
  done: number;
  failed: number;
  rework: number;
  byTheirWriter: number;
  readonly agents: Map<string, { done: number; rework: number }>;
  readonly indeterminate: UnitsByAgent;
}

/** The passes of one stage. */
export class Passes {
  #open: Pass[];
  readonly #leases = new Map<number, { readonly pass: Pass; readonly id: number }>();
  /** Units that failed in passes that are over. */
  readonly #failed = new IntervalSet();
  /** Leases that were granted so far, in all passes. */
  #granted = 0;
  readonly #over: Sums = {
    passes: 0,
    done: 0,
    failed: 0,
    rework: 0,
    byTheirWriter: 0,
    agents: new Map(),
    indeterminate: new UnitsByAgent(),
  };

  constructor(
    /** The first pass. */
    readonly first: Ledger,
    /** Makes the ledger of a further pass; absent where there is one pass only. */
    private readonly next: (() => Ledger) | undefined,
    /** Who wrote what the stage reads back; empty when it does not. */
    private readonly writers: readonly WriterRange[],
    /** Whether each unit has one holder at a time, over all passes, and none while a lost one may still be at it. */
    private readonly isExclusive = false,
  ) {
    this.#open = [{ ledger: first, round: 0, numbers: [] }];
  }

  /** Whether a pass is followed by the next until the time is over. */
  get wraps(): boolean {
    return this.next !== undefined;
  }

  // ── Who takes part ───────────────────────────────────────────────────────────────────────────────────────────────

  /** See {@link Ledger.join}. */
  join(agent: string, incarnation: number, host: string, nowMs: number): void {
    for (const { ledger } of this.#open) ledger.join(agent, incarnation, host, nowMs);
  }

  /** See {@link Ledger.renew}. */
  renew(agent: string, incarnation: number, nowMs: number): void {
    for (const { ledger } of this.#open) ledger.renew(agent, incarnation, nowMs);
  }

  /** See {@link Ledger.lost}. */
  lost(agent: string, incarnation: number, how: { readonly knownDead: boolean }, nowMs: number): Lease[] {
    return this.#open.flatMap((pass) => numbered(pass, pass.ledger.lost(agent, incarnation, how, nowMs)));
  }

  /** See {@link Ledger.leave}. */
  leave(agent: string, incarnation: number): void {
    for (const { ledger } of this.#open) ledger.leave(agent, incarnation);
  }

  /** See {@link Ledger.drained}. */
  drained(agent: string, incarnation: number): void {
    for (const { ledger } of this.#open) ledger.drained(agent, incarnation);
  }

  // ── Leases ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The next lease for an agent: of the earliest pass that has something for it, or of a new one. */
  grant(agent: string, nowMs: number): Lease | undefined {
    const avoid = new IntervalSet();
    if (this.isExclusive)
      for (const { ledger } of this.#open) for (const { first, end } of ledger.unsettled()) avoid.add(first, end);
    for (const pass of this.#open) {
      const lease = this.#grantOf(pass, agent, nowMs, avoid.ranges);
      if (lease !== undefined) return lease;
      // What is not done in this pass is not begun in the next.
      if (this.isExclusive) for (const [first, end] of pass.ledger.unfinished()) avoid.add(first, end);
    }
    const pass = this.#begin();
    return pass && this.#grantOf(pass, agent, nowMs, avoid.ranges);
  }

  /** The lease of this number, and which pass it is of, counted from 0; undefined once that pass is over. */
  lease(number: number): { readonly first: number; readonly end: number; readonly round: number } | undefined {
    const known = this.#leases.get(number);
    const lease = known?.pass.ledger.lease(known.id);
    return lease && known && { first: lease.first, end: lease.end, round: known.pass.round };
  }

  /** The ledgers of passes that are not over. */
  get ledgers(): readonly Ledger[] {
    return this.#open.map(({ ledger }) => ledger);
  }

  /** Units that failed in any pass. */
  failedRanges(): Range[] {
    const failed = new IntervalSet();
    for (const [first, end] of this.#failed.ranges) failed.add(first, end);
    for (const { ledger } of this.#open) for (const [first, end] of ledger.failedRanges()) failed.add(first, end);
    return failed.ranges;
  }

  #grantOf(pass: Pass, agent: string, nowMs: number, avoid: readonly Range[]): Lease | undefined {
    const lease = pass.ledger.grant(agent, nowMs, avoid);
    if (lease === undefined) return undefined;
    this.#granted += 1;
    pass.numbers[lease.id] = this.#granted;
    this.#leases.set(this.#granted, { pass, id: lease.id });
    return { ...lease, id: this.#granted };
  }

  /** Begins a pass, unless one was begun of which nobody took anything yet. */
  #begin(): Pass | undefined {
    const last = this.#open.at(-1);
    if (this.next === undefined || last === undefined || last.numbers.length === 0) return undefined;
    if (this.#open.length >= maxOpenPasses) return undefined;
    const ledger = this.next();
    ledger.follow(last.ledger);
    const pass = { ledger, round: last.round + 1, numbers: [] };
    this.#open.push(pass);
    return pass;
  }

  /** See {@link Ledger.report}. What a pass that is over is told of is known: all of it is done. */
  report(report: Report): ReportOutcome {
    const lease = this.#leases.get(report.leaseId);
    if (lease === undefined) {
      if (report.leaseId > 0 && report.leaseId <= this.#granted)
        return { kind: 'fenced', because: 'released', newRework: 0 };
      return { kind: 'refused', reason: 'unknown-lease', detail: `there is no lease ${report.leaseId}` };
    }
    const outcome = lease.pass.ledger.report({ ...report, leaseId: lease.id });
    if (outcome.kind === 'applied' && outcome.completed) this.#endPasses();
    return outcome;
  }

  /** See {@link Ledger.undo}. */
  undo(agent: string, incarnation: number, leaseId: number, nowMs: number): void {
    const lease = this.#leases.get(leaseId);
    lease?.pass.ledger.undo(agent, incarnation, lease.id, nowMs);
  }

  /** See {@link Ledger.leasesOf}. */
  leasesOf(agent: string): Lease[] {
    return this.#open.flatMap((pass) => numbered(pass, pass.ledger.leasesOf(agent)));
  }

  /** See {@link Ledger.openLeasesOf}. */
  openLeasesOf(agent: string): number {
    return this.#open.reduce((sum, { ledger }) => sum + ledger.openLeasesOf(agent), 0);
  }

  /** See {@link Ledger.expire}. */
  expire(nowMs: number): Expiry {
    const all = this.#open.map((pass) => ({ pass, expiry: pass.ledger.expire(nowMs) }));
    const leases = all.flatMap(({ pass, expiry }) => numbered(pass, expiry.leases));
    const waiting = all.find(({ expiry }) => expiry.handover.waiting);
    return { leases, handover: waiting?.expiry.handover ?? { waiting: false } };
  }

  /** See {@link Ledger.close}. */
  close(nowMs: number): void {
    for (const { ledger } of this.#open) ledger.close(nowMs);
  }

  // ── Counts ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Units that may hold what a lost agent wrote late, or miss what it never made durable, in any pass. */
  allIndeterminate(): LostUnits[] {
    return [...this.#over.indeterminate.all, ...this.#open.flatMap(({ ledger }) => ledger.allIndeterminate())];
  }

  /** Whether nobody can have I/O in flight in any pass. */
  isSettled(): boolean {
    return this.#open.every(({ ledger }) => ledger.isSettled());
  }

  /** Whether the only pass has everything accounted for. */
  isAccountedFor(): boolean {
    return this.next === undefined && this.first.isAccountedFor();
  }

  /** Whether there is nothing left to do; never where another pass follows. */
  isOver(): boolean {
    return this.next === undefined && this.first.isOver();
  }

  /** Passes of which every unit is accounted for. */
  get whole(): number {
    return this.#over.passes + this.#open.filter(({ ledger }) => ledger.isAccountedFor()).length;
  }

  /** Units that were read back by the agent that wrote them. */
  get unitsByTheirWriter(): number {
    return this.#open.reduce((sum, pass) => sum + this.#ownUnitsOf(pass), this.#over.byTheirWriter);
  }

  /** What all passes came to; `units` and those that are lost or left out are of one pass. */
  coverage(): Coverage {
    const over = this.#over;
    const open = this.#open.map(({ ledger }) => ledger.coverage());
    const total = (of: (coverage: Coverage) => number): number => open.reduce((sum, each) => sum + of(each), 0);
    const agents = new Map<string, AgentCoverage>();
    for (const [agent, { done, rework }] of over.agents) agents.set(agent, { done, rework, leases: 0, openLeases: 0 });
    for (const each of open)
      for (const [agent, coverage] of each.agents) agents.set(agent, added(agents.get(agent), coverage));
    return {
      units: open[0]?.units ?? 0,
      done: over.done + total(({ done }) => done),
      leased: total(({ leased }) => leased),
      free: total(({ free }) => free),
      lost: Math.max(0, ...open.map(({ lost }) => lost)),
      failed: over.failed + total(({ failed }) => failed),
      leftOut: open[0]?.leftOut ?? 0,
      rework: over.rework + total(({ rework }) => rework),
      indeterminate: unionUnits(this.allIndeterminate().map(({ first, end }) => [first, end])),
      unsettled: total(({ unsettled }) => unsettled),
      agents,
    };
  }

  /** Keeps no more than the sums of the earliest passes, once they are over. The last one is always kept. */
  #endPasses(): void {
    while (this.#open.length > 1 && this.#open[0]?.ledger.isAccountedFor() === true) {
      const [pass] = this.#open;
      this.#open = this.#open.slice(1);
      this.#addUp(pass);
      for (const number of pass.numbers) this.#leases.delete(number);
    }
  }

  #addUp(pass: Pass): void {
    const { done, failed, rework, agents } = pass.ledger.coverage();
    for (const [first, end] of pass.ledger.failedRanges()) this.#failed.add(first, end);
    const over = this.#over;
    for (const lost of pass.ledger.allIndeterminate()) over.indeterminate.add(lost);
    over.passes += 1;
    over.done += done;
    over.failed += failed;
    over.rework += rework;
    over.byTheirWriter += this.#ownUnitsOf(pass);
    for (const [agent, own] of agents) {
      const sum = over.agents.get(agent) ?? { done: 0, rework: 0 };
      over.agents.set(agent, { done: sum.done + own.done, rework: sum.rework + own.rework });
    }
  }

  #ownUnitsOf({ ledger }: Pass): number {
    return this.writers.length === 0 ? 0 : ownUnits(ledger.writers(), this.writers);
  }
}

function numbered({ numbers }: Pass, leases: readonly Lease[]): Lease[] {
  return leases.map((lease) => ({ ...lease, id: numbers[lease.id] ?? 0 }));
}

function added(before: AgentCoverage | undefined, more: AgentCoverage): AgentCoverage {
  if (before === undefined) return more;
  return {
    done: before.done + more.done,
    rework: before.rework + more.rework,
    leases: before.leases + more.leases,
    openLeases: before.openLeases + more.openLeases,
  };
}
