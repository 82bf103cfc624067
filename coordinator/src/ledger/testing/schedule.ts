/**
 * Random schedules of what can happen to a ledger: agents that come, work, report late or twice, lie, fall silent and
 * die. A {@link Simulation} plays one against the ledger and the model, and compares them after every step.
 */
import * as fc from 'fast-check';
import { IntervalSet, type Range } from '../intervals.js';
import { Ledger } from '../ledger.js';
import {
  type Assign,
  type LedgerOptions,
  MAX_RANGES_PER_REPORT,
  resolveOptions,
  type WriterRange,
} from '../options.js';
import type { Report } from '../report.js';
import { equal, holds } from './check.js';
import { Model, type ModelLease, unitsOf } from './model.js';

const AGENTS = ['ann', 'bob', 'cid', 'dot'];
const HOSTS = ['north', 'north', 'south', 'west'];
/** A writer that never joins the stage. */
const GONE = { agent: 'eve', host: 'south' };

/** One step. `agent`, `lease` and `snapshot` are picked modulo how many there are. */
export type Step =
  | { readonly kind: 'join'; readonly agent: number; readonly newer: boolean; readonly moved: boolean }
  | { readonly kind: 'renew'; readonly agent: number; readonly older: boolean }
  | { readonly kind: 'renewAll'; readonly but: number }
  | { readonly kind: 'grant'; readonly agent: number }
  | {
      readonly kind: 'work';
      readonly lease: number;
      readonly from: number;
      readonly units: number;
      readonly sync: boolean;
    }
  | { readonly kind: 'report'; readonly lease: number; readonly snapshot: number }
  | { readonly kind: 'lie'; readonly lease: number; readonly lie: number }
  | { readonly kind: 'time'; readonly ms: number; readonly noticed: boolean }
  | { readonly kind: 'lost'; readonly agent: number; readonly knownDead: boolean; readonly older: boolean }
  | { readonly kind: 'drained'; readonly agent: number; readonly older: boolean }
  | { readonly kind: 'leave'; readonly agent: number }
  | { readonly kind: 'release' | 'undo'; readonly lease: number };

const pick = fc.nat(200);

export const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('join' as const), agent: pick, newer: fc.boolean(), moved: rarely() }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('renew' as const), agent: pick, older: rarely() }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('renewAll' as const), but: pick }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('grant' as const), agent: pick }) },
  {
    weight: 9,
    arbitrary: fc.record({
      kind: fc.constant('work' as const),
      lease: pick,
      from: fc.nat(12),
      units: fc.integer({ min: 1, max: 16 }),
      sync: fc.boolean(),
    }),
  },
  { weight: 9, arbitrary: fc.record({ kind: fc.constant('report' as const), lease: pick, snapshot: pick }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('lie' as const), lease: pick, lie: pick }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('time' as const), ms: duration(), noticed: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('lost' as const), agent: pick, knownDead: fc.boolean(), older: rarely() }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('drained' as const), agent: pick, older: rarely() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('leave' as const), agent: pick }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('release' as const, 'undo' as const), lease: pick }) },
);

function rarely(): fc.Arbitrary<boolean> {
  return fc.nat(3).map((n) => n === 3);
}

function duration(): fc.Arbitrary<number> {
  // Around the times that matter: heartbeats, silence, the end of a lease without and with its margin, settling.
  return fc.oneof(fc.nat(4000), fc.constantFrom(1, 2999, 3000, 9999, 10_000, 10_499, 10_500, 10_501, 20_000));
}

/** Options of a small stage under the given assignment. */
export function stage(kind: 'any' | 'other' | 'same' | 'static'): fc.Arbitrary<LedgerOptions> {
  const sizes = fc.record({
    units: fc.integer({ min: 1, max: 48 }),
    boundaryUnits: fc.integer({ min: 1, max: 7 }),
    leaseUnits: fc.integer({ min: 1, max: 16 }),
    durable: fc.boolean(),
  });
  const cuts = fc.array(fc.record({ units: fc.integer({ min: 1, max: 9 }), who: fc.nat(9) }), { minLength: 48 });
  const count = fc.integer({ min: 1, max: AGENTS.length });
  const times = { leaseMs: 10_000, marginMs: 500, settleMs: 20_000 };
  return fc
    .tuple(sizes, cuts, count)
    .map(([size, written, members]) => ({ ...size, ...times, assign: assignOf(kind, size.units, written, members) }));
}

function assignOf(
  kind: 'any' | 'other' | 'same' | 'static',
  units: number,
  written: readonly { units: number; who: number }[],
  members: number,
): Assign {
  if (kind === 'any') return { kind: 'dynamic', placement: { kind } };
  if (kind === 'static') {
    const named = AGENTS.slice(0, members).map((agent, index) => ({ agent, incarnation: 1, host: hostOf(index) }));
    return { kind, members: named, nowMs: 0 };
  }
  const writers: WriterRange[] = [];
  let first = 0;
  for (const { units: length, who } of written) {
    const end = Math.min(units, first + length);
    const agent = AGENTS[who % 5];
    const writer = agent === undefined ? GONE : { agent, host: hostOf(who % 5) };
    const isUnwritten = kind === 'other' && who >= 8;
    if (end > first && !isUnwritten) writers.push({ first, end, ...writer });
    first = end;
  }
  return { kind: 'dynamic', placement: { kind, writers } };
}

function hostOf(agent: number): string {
  return HOSTS[agent] ?? 'nowhere';
}

/** What one lease's holder really did, and every report that it could have sent on the way. */
interface Work {
  readonly written: IntervalSet;
  readonly done: IntervalSet;
  readonly snapshots: Report[];
}

/** A ledger and the model of it, in step. */
export class Simulation {
  readonly ledger: Ledger;
  readonly model: Model;
  readonly #options: LedgerOptions;
  readonly #work = new Map<number, Work>();
  #nowMs = 0;

  constructor(options: LedgerOptions) {
    this.#options = options;
    this.ledger = new Ledger(options);
    this.model = new Model(resolveOptions(options));
  }

  play(steps: readonly Step[]): void {
    this.compare();
    for (const one of steps) {
      this.#take(one);
      this.compare();
    }
  }

  /** Every other agent is known to be dead and one is healthy: it must be able to do all that is left. */
  finish(survivor: number): void {
    const healthy = survivor % AGENTS.length;
    for (const [index, agent] of AGENTS.entries()) {
      if (index !== healthy) this.#lost(agent, this.#incarnationOf(agent), true);
    }
    const agent = AGENTS[healthy] ?? '';
    this.#lost(GONE.agent, 1, true);
    this.#join(agent, this.#incarnationOf(agent) + 1, hostOf(healthy));
    for (;;) {
      this.#renew(agent, this.#incarnationOf(agent));
      if (!this.#grant(agent)) break;
      const [one] = this.model.running(agent);
      if (one === undefined) throw new Error('the lease that was granted is not running');
      this.#workOn(one, 0, one.lease.end - one.lease.first, true);
      this.#report(one, -1);
      this.compare();
    }
    this.#time(this.#options.settleMs ?? 0, true);
    this.#time(this.#options.leaseMs + this.#options.marginMs, true);
    this.#time(this.#options.settleMs ?? 0, true);
    this.compare();
    const { units, done, lost, rework } = this.ledger.coverage();
    equal(done + lost, units);
    equal(this.ledger.isOver(), true);
    equal(this.ledger.isSettled(), true);
    const lostRanges = this.ledger.lostUnits().sort((a, b) => a.first - b.first);
    const lostUnits = lostRanges.flatMap(({ first, end }) => unitsOf([first, end]));
    equal(lostUnits.length, lost);
    equal(this.ledger.unfinished().flatMap(unitsOf), lostUnits);
    // Everything that was ever worked on either counts, once, or is rework.
    const worked = this.model.leases.reduce((sum, one) => sum + one.worked.size, 0);
    equal(worked, done + rework);
  }

  /** Everything that the ledger says has to be what the model counts. */
  compare(): void {
    const { ledger, model } = this;
    equal(ledger.coverage(), model.coverage());
    const writers: (string | undefined)[] = Array.from({ length: this.#options.units });
    for (const { first, end, agent } of ledger.writers()) writers.fill(agent, first, end);
    equal(
      writers,
      model.doneBy.map((by) => by?.agent),
    );
    const unfinished = writers.flatMap((writer, unit) => (writer === undefined ? [unit] : []));
    equal(ledger.unfinished().flatMap(unitsOf), unfinished);
    equal(ledger.isComplete(), unfinished.length === 0);
    equal(
      ledger.isOver(),
      unfinished.every((unit) => model.isLost(unit)),
    );
    equal(ledger.isSettled(), model.isSettled());
    for (const agent of AGENTS) {
      equal(ledger.indeterminate(agent).flatMap(unitsOf), model.indeterminate(agent));
      equal(
        ledger.leasesOf(agent),
        model.running(agent).map(({ lease }) => lease),
      );
    }
  }

  #take(one: Step): void {
    switch (one.kind) {
      case 'join': {
        const [agent, index] = this.#agent(one.agent);
        const incarnation = this.#incarnationOf(agent) + (one.newer ? 1 : 0);
        this.#join(agent, incarnation, hostOf(one.moved ? (index + 2) % AGENTS.length : index));
        break;
      }
      case 'renew':
        this.#renew(...this.#incarnation(one));
        break;
      case 'renewAll':
        // With fewer agents than this can name, all of them.
        for (const [index, agent] of AGENTS.entries()) {
          if (index !== one.but % 6) this.#renew(agent, this.#incarnationOf(agent));
        }
        break;
      case 'grant':
        this.#grant(this.#agent(one.agent)[0]);
        break;
      case 'work':
        this.#withLease(one.lease, (lease) => this.#workOn(lease, one.from, one.units, one.sync));
        break;
      case 'report':
        this.#withLease(one.lease, (lease) => this.#report(lease, one.snapshot));
        break;
      case 'lie':
        this.#withLease(one.lease, (lease) => this.#lie(lease, one.lie));
        break;
      case 'time':
        this.#time(one.ms, one.noticed);
        break;
      case 'lost':
        this.#lost(...this.#incarnation(one), one.knownDead);
        break;
      case 'drained': {
        const [agent, incarnation] = this.#incarnation(one);
        this.ledger.drained(agent, incarnation);
        this.model.drained(agent, incarnation);
        break;
      }
      case 'leave': {
        const [agent, incarnation] = this.#incarnation({ ...one, older: false });
        equal(this.ledger.leave(agent, incarnation), this.model.leave(agent, incarnation));
        break;
      }
      case 'release':
        this.#withLease(one.lease, ({ lease: { agent, incarnation, id } }) => {
          const isHeld = this.model.release(agent, incarnation, id);
          equal(this.ledger.release(agent, incarnation, id), isHeld);
        });
        break;
      case 'undo':
        this.#withLease(one.lease, ({ lease: { agent, incarnation, id } }) => {
          equal(this.ledger.undo(agent, incarnation + 1, id, this.#nowMs), false);
          const isHeld = this.model.undo(agent, incarnation, id, this.#nowMs);
          equal(this.ledger.undo(agent, incarnation, id, this.#nowMs), isHeld);
        });
        break;
    }
  }

  #join(agent: string, incarnation: number, host: string): void {
    const joined = this.model.join(agent, incarnation, host, this.#nowMs);
    equal(this.ledger.join(agent, incarnation, host, this.#nowMs), joined);
  }

  #renew(agent: string, incarnation: number): void {
    const renewed = this.model.renew(agent, incarnation, this.#nowMs);
    equal(this.ledger.renew(agent, incarnation, this.#nowMs), renewed);
  }

  #lost(agent: string, incarnation: number, knownDead: boolean): void {
    const ended = this.model.lost(agent, incarnation, knownDead, this.#nowMs);
    equal(this.ledger.lost(agent, incarnation, { knownDead }, this.#nowMs), ended);
  }

  #grant(agent: string): boolean {
    const lease = this.ledger.grant(agent, this.#nowMs);
    this.model.granted(agent, lease, this.#nowMs);
    if (lease !== undefined) {
      this.#work.set(lease.id, { written: new IntervalSet(), done: new IntervalSet(), snapshots: [] });
    }
    return lease !== undefined;
  }

  /** The holder works on some units, whether or not it still holds the lease; with `sync` all it wrote is durable. */
  #workOn({ lease }: ModelLease, from: number, units: number, sync: boolean): void {
    const work = this.#workOf(lease.id);
    const first = lease.first + (from % (lease.end - lease.first));
    work.written.add(first, Math.min(lease.end, first + units));
    if (sync) for (const range of work.written.ranges) work.done.add(...range);
    const { agent, incarnation, id: leaseId, epoch } = lease;
    work.snapshots.push({ agent, incarnation, leaseId, epoch, done: work.done.ranges, written: work.written.ranges });
  }

  /** Sends any report that the holder ever made: the last, an old one, one that was sent already. */
  #report({ lease }: ModelLease, snapshot: number): void {
    const { snapshots } = this.#workOf(lease.id);
    const report = snapshots.at(snapshot < 0 ? snapshot : snapshot % Math.max(1, snapshots.length));
    if (report === undefined) return;
    equal(this.ledger.report(report), this.model.report(report));
  }

  #lie({ lease }: ModelLease, lie: number): void {
    const { first, end, agent, incarnation, epoch, id: leaseId } = lease;
    const all: Range[] = [[first, end]];
    const truth: Report = { agent, incarnation, leaseId, epoch, done: all, written: [] };
    const many: Range[] = Array.from({ length: MAX_RANGES_PER_REPORT + 1 }, () => [first, end]);
    const lies: [string, Report][] = [
      ['unknown-lease', { ...truth, leaseId: leaseId + 1000 }],
      ['not-the-holder', { ...truth, agent: `${agent}'` }],
      ['not-the-holder', { ...truth, incarnation: incarnation + 1 }],
      ['not-the-holder', { ...truth, incarnation: incarnation - 1 }],
      ['wrong-epoch', { ...truth, epoch: epoch + 1 }],
      ['wrong-epoch', { ...truth, epoch: epoch - 1 }],
      ['too-many-ranges', { ...truth, done: many }],
      ['outside-lease', { ...truth, done: [[first, end + 1]] }],
      ['outside-lease', { ...truth, done: [], written: [[first, end + 1]] }],
      [first === 0 ? 'malformed-range' : 'outside-lease', { ...truth, done: [[first - 1, end]] }],
      ['malformed-range', { ...truth, done: [[end, first]] }],
      ['malformed-range', { ...truth, done: [[first, first]] }],
      ['malformed-range', { ...truth, done: [...all, ...all] }],
      ['malformed-range', { ...truth, written: [...all, ...all] }],
      ['malformed-range', { ...truth, done: [[first, first + 0.5]] }],
      ['malformed-range', { ...truth, done: [[Number.NaN, end]] }],
    ];
    const [reason, report] = lies[lie % lies.length] ?? ['', truth];
    // The model is not told: the comparison after this step shows that nothing changed.
    const { detail: _, ...refusal } = { detail: '', ...this.ledger.report(report) };
    equal<object>(refusal, { kind: 'refused', reason });
  }

  #time(ms: number, noticed: boolean): void {
    this.#nowMs += ms;
    if (!noticed) return;
    const foretoldMs = this.ledger.nextEventMs();
    const expected = this.model.expire(this.#nowMs);
    const { leases, handover } = this.ledger.expire(this.#nowMs);
    equal(leases, expected.leases);
    equal(handover.waiting, expected.waiting);
    holds(!expected.isAnyEvent || (foretoldMs ?? Number.POSITIVE_INFINITY) <= this.#nowMs, 'what happens was foretold');
    const nextMs = this.ledger.nextEventMs();
    holds(nextMs === undefined || nextMs > this.#nowMs, 'nothing is left to do now');
  }

  #withLease(index: number, act: (lease: ModelLease) => void): void {
    // Mostly the newest: most of what is old has ended.
    const { leases } = this.model;
    const lease = leases.at(
      index % 3 === 0 ? index % Math.max(1, leases.length) : -1 - (index % Math.min(6, leases.length)),
    );
    if (lease !== undefined) act(lease);
  }

  #workOf(leaseId: number): Work {
    const work = this.#work.get(leaseId);
    if (work === undefined) throw new Error(`lease ${leaseId} was never granted`);
    return work;
  }

  #agent(index: number): [agent: string, index: number] {
    const at = index % AGENTS.length;
    return [AGENTS[at] ?? '', at];
  }

  #incarnationOf(agent: string): number {
    return this.model.members.get(agent)?.incarnation ?? 1;
  }

  #incarnation({ agent, older }: { agent: number; older: boolean }): [agent: string, incarnation: number] {
    const [name] = this.#agent(agent);
    return [name, this.#incarnationOf(name) - (older ? 1 : 0)];
  }
}
