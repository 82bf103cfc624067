/**
 * The ledger's rules once more, naively: one record a unit, no intervals, nothing kept that can be counted again.
 * Only for tests, which run the ledger and this model side by side.
 */
import type { Coverage } from '../coverage.js';
import type { Range } from '../intervals.js';
import type { Lease, LeaseEnd } from '../lease.js';
import type { ResolvedOptions } from '../options.js';
import type { Report, ReportOutcome } from '../report.js';
import { equal, holds } from './check.js';

export interface ModelLease {
  readonly lease: Lease;
  ended: LeaseEnd | undefined;
  /** Units reported as written or done. */
  readonly worked: Set<number>;
  /** Units that this lease moved in the coverage. */
  readonly counted: Set<number>;
}

interface ModelMember {
  incarnation: number;
  host: string;
  state: 'live' | 'absent' | 'expired' | 'left' | 'dead';
  renewedMs: number;
}

interface Doubt {
  readonly agent: string;
  readonly incarnation: number;
  readonly unit: number;
  readonly untilMs: number;
}

export function unitsOf([first, end]: Range): number[] {
  return Array.from({ length: end - first }, (_, index) => first + index);
}

export class Model {
  readonly members = new Map<string, ModelMember>();
  readonly leases: ModelLease[] = [];
  readonly doneBy: (Lease | undefined)[];
  readonly #holder: (ModelLease | undefined)[];
  readonly #epoch: number[];
  readonly #owner: ({ agent: string; host: string } | undefined)[];
  readonly #options: ResolvedOptions;
  #inFlight: Doubt[] = [];
  readonly #indeterminate = new Map<string, Set<number>>();

  constructor(options: ResolvedOptions) {
    this.#options = options;
    const { units, assign, boundaryUnits } = options;
    this.doneBy = Array.from({ length: units });
    this.#holder = Array.from({ length: units });
    this.#epoch = Array.from({ length: units }, () => 0);
    this.#owner = Array.from({ length: units });
    if (assign.kind === 'static') {
      for (const { agent, incarnation, host } of assign.members) this.join(agent, incarnation, host, assign.nowMs);
      const objects = Math.ceil(units / boundaryUnits);
      // Object by object to each member in turn gives the sizes; in a row they are the shares.
      const sizes = assign.members.map(
        (_, index) => unitsOf([0, objects]).filter((o) => o % assign.members.length === index).length,
      );
      const inARow = assign.members.flatMap((member, index) => unitsOf([0, sizes[index] ?? 0]).map(() => member));
      for (let unit = 0; unit < units; unit += 1) this.#owner[unit] = inARow[Math.floor(unit / boundaryUnits)];
    } else if (assign.placement.kind !== 'any') {
      for (const { first, end, ...owner } of assign.placement.writers) this.#owner.fill(owner, first, end);
    }
  }

  join(agent: string, incarnation: number, host: string, nowMs: number): 'joined' | 'fenced' {
    const member = this.members.get(agent);
    if (member !== undefined) {
      if (incarnation < member.incarnation) return 'fenced';
      if (incarnation === member.incarnation && member.state === 'dead') return 'fenced';
      if (incarnation > member.incarnation) {
        this.#loseAll(agent, 'fenced', Math.max(nowMs, this.#expiresMs(member)));
      }
    }
    this.members.set(agent, { incarnation, host, state: 'live', renewedMs: nowMs });
    return 'joined';
  }

  renew(agent: string, incarnation: number, nowMs: number): 'renewed' | 'fenced' {
    const member = this.members.get(agent);
    if (member?.incarnation !== incarnation || member.state === 'dead' || member.state === 'left') return 'fenced';
    member.state = 'live';
    member.renewedMs = nowMs;
    return 'renewed';
  }

  lost(agent: string, incarnation: number, knownDead: boolean, nowMs: number): Lease[] {
    const member = this.members.get(agent);
    if (knownDead) this.drained(agent, incarnation);
    if (member === undefined) {
      this.members.set(agent, { incarnation, host: '', state: knownDead ? 'dead' : 'expired', renewedMs: nowMs });
    } else if (member.incarnation === incarnation && knownDead) {
      const ended = this.#loseAll(agent, 'dead', nowMs);
      member.state = 'dead';
      return ended;
    } else if (member.incarnation === incarnation && member.state === 'live') {
      member.state = 'absent';
    }
    return [];
  }

  drained(agent: string, incarnation: number): void {
    this.#inFlight = this.#inFlight.filter((doubt) => doubt.agent !== agent || doubt.incarnation !== incarnation);
  }

  leave(agent: string, incarnation: number): Lease[] {
    const member = this.members.get(agent);
    if (member?.incarnation !== incarnation || member.state === 'dead') return [];
    const leases = this.running(agent);
    for (const one of leases) one.ended = 'released';
    this.drained(agent, incarnation);
    member.state = 'left';
    return leases.map(({ lease }) => lease);
  }

  /** Checks that this grant, or that there is none, obeys every rule; then books it. */
  granted(agent: string, lease: Lease | undefined, nowMs: number): void {
    const { units, boundaryUnits, leaseUnits } = this.#options;
    const ranks = unitsOf([0, units]).map((unit) => this.#rank(agent, unit, nowMs));
    const best = Math.min(...ranks);
    if (lease === undefined) {
      equal(best, Number.POSITIVE_INFINITY, `${agent} was refused a unit that it may take`);
      return;
    }
    const { first, end } = lease;
    equal([lease.agent, lease.incarnation], [agent, this.members.get(agent)?.incarnation ?? -1]);
    equal(lease.id, this.leases.length + 1);
    holds(0 <= first && first < end && end <= units, `[${first}, ${end}) is a range of ${units} units`);
    holds(end - first <= leaseUnits, `[${first}, ${end}) is at most ${leaseUnits} units`);
    holds(best < Number.POSITIVE_INFINITY, `${agent} may be given something`);
    for (const unit of unitsOf([first, end])) {
      equal(ranks[unit], best, `unit ${unit} for ${agent}`);
      holds(
        lease.epoch > (this.#epoch[unit] ?? 0),
        `epoch ${lease.epoch} of unit ${unit} is above ${this.#epoch[unit]}`,
      );
    }
    const isFollowedByFree = this.#isFree(end) && this.#owner[end]?.agent === this.#owner[first]?.agent;
    holds(end % boundaryUnits === 0 || !isFollowedByFree, `[${first}, ${end}) ends with an object of ${boundaryUnits}`);
    const one: ModelLease = { lease, ended: undefined, worked: new Set(), counted: new Set() };
    this.leases.push(one);
    for (const unit of unitsOf([first, end])) {
      this.#holder[unit] = one;
      this.#epoch[unit] = lease.epoch;
    }
  }

  /** What an honest report has to lead to; books it. */
  report({ leaseId, done, written }: Report): ReportOutcome {
    const one = this.leases.find(({ lease }) => lease.id === leaseId);
    if (one === undefined) throw new Error(`the model has no lease ${leaseId}`);
    if (one.ended === 'completed') return { kind: 'applied', newlyDone: 0, completed: true };
    const before = one.worked.size;
    for (const unit of [...done, ...written].flatMap(unitsOf)) one.worked.add(unit);
    if (one.ended !== undefined) return { kind: 'fenced', because: one.ended, newRework: one.worked.size - before };
    const fresh = done.flatMap(unitsOf).filter((unit) => !one.counted.has(unit));
    for (const unit of fresh) {
      equal(this.doneBy[unit], undefined, `unit ${unit} is counted twice`);
      this.doneBy[unit] = one.lease;
      one.counted.add(unit);
    }
    const completed = one.counted.size === one.lease.end - one.lease.first;
    if (completed) one.ended = 'completed';
    return { kind: 'applied', newlyDone: fresh.length, completed };
  }

  undo(agent: string, incarnation: number, leaseId: number, nowMs: number): boolean {
    const one = this.#held(agent, incarnation, leaseId);
    if (one === undefined) return false;
    this.#putInFlight(one, nowMs);
    one.ended = 'undone';
    return true;
  }

  release(agent: string, incarnation: number, leaseId: number): boolean {
    const one = this.#held(agent, incarnation, leaseId);
    if (one === undefined) return false;
    one.ended = 'released';
    return true;
  }

  /** What time brings about; `isAnyEvent` is whether the ledger should have foretold it. */
  expire(nowMs: number): { leases: Lease[]; waiting: boolean; isAnyEvent: boolean } {
    const { silentMs } = this.#options;
    const timedOut = this.#inFlight.filter((doubt) => doubt.untilMs <= nowMs);
    for (const { agent, unit } of timedOut) this.#doubt(agent, unit);
    this.#inFlight = this.#inFlight.filter((doubt) => doubt.untilMs > nowMs);
    const present = [...this.members].filter(([, { state }]) => state === 'live' || state === 'absent');
    const due = present.filter(([, member]) => this.#expiresMs(member) <= nowMs);
    const silent = present.filter(([, { state, renewedMs }]) => state === 'absent' || renewedMs <= nowMs - silentMs);
    const isNetwork = silent.length > present.length / 3 && !(silent.length === 1 && present.length >= 2);
    if (due.length === 0 || isNetwork) return { leases: [], waiting: due.length > 0, isAnyEvent: timedOut.length > 0 };
    const leases = due.flatMap(([agent, member]) => {
      const ended = this.#loseAll(agent, 'expired', nowMs);
      member.state = 'expired';
      return ended;
    });
    return { leases, waiting: false, isAnyEvent: true };
  }

  running(agent: string): ModelLease[] {
    return this.leases.filter(({ ended, lease }) => ended === undefined && lease.agent === agent);
  }

  coverage(): Coverage {
    const units = unitsOf([0, this.#options.units]);
    const count = (wanted: (unit: number) => boolean): number => units.filter(wanted).length;
    // A unit is worked on once for each lease that reported it, running leases only where it counts.
    const isWorkedTwice = ({ worked, counted, ended }: ModelLease, unit: number): boolean =>
      ended !== undefined && worked.has(unit) && !counted.has(unit);
    const reworkOf = (leases: ModelLease[]): number =>
      leases.reduce((sum, one) => sum + count((unit) => isWorkedTwice(one, unit)), 0);
    const agents = new Map(
      [...this.members.keys()].map((agent) => {
        const running = this.running(agent);
        const done = count((unit) => this.doneBy[unit]?.agent === agent);
        const rework = reworkOf(this.leases.filter(({ lease }) => lease.agent === agent));
        const openLeases = running.filter(({ worked, lease }) => worked.size < lease.end - lease.first).length;
        return [agent, { done, rework, leases: running.length, openLeases }];
      }),
    );
    return {
      units: units.length,
      done: count((unit) => this.doneBy[unit] !== undefined),
      leased: count((unit) => this.doneBy[unit] === undefined && this.#isHeld(unit)),
      free: count((unit) => this.#isFree(unit) && !this.isLost(unit)),
      lost: count((unit) => this.isLost(unit)),
      failed: 0,
      leftOut: 0,
      rework: reworkOf(this.leases),
      indeterminate: new Set([...this.#indeterminate.values()].flatMap((set) => [...set])).size,
      unsettled: new Set(this.#inFlight.map(({ unit }) => unit)).size,
      agents,
    };
  }

  isLost(unit: number): boolean {
    const { assign } = this.#options;
    const isLocal = assign.kind === 'dynamic' && assign.placement.kind === 'same';
    return isLocal && this.#isFree(unit) && this.#isGone(this.#owner[unit]?.agent);
  }

  isSettled(): boolean {
    return this.#inFlight.length === 0 && this.leases.every(({ ended }) => ended !== undefined);
  }

  indeterminate(agent: string): number[] {
    return [...(this.#indeterminate.get(agent) ?? [])].sort((a, b) => a - b);
  }

  /** Lower is better; infinite when the agent may not take the unit now. */
  #rank(agent: string, unit: number, nowMs: number): number {
    const isLive = (member: ModelMember): boolean =>
      member.state === 'live' && nowMs < member.renewedMs + this.#options.leaseMs;
    const me = this.members.get(agent);
    if (me === undefined || !isLive(me) || !this.#isFree(unit)) return Number.POSITIVE_INFINITY;
    const owner = this.#owner[unit];
    const { assign } = this.#options;
    if (owner === undefined) return 0;
    if (assign.kind === 'static') {
      if (owner.agent === agent) return 0;
      return this.#isGone(owner.agent) ? 1 : Number.POSITIVE_INFINITY;
    }
    if (assign.placement.kind === 'same') return owner.agent === agent ? 0 : Number.POSITIVE_INFINITY;
    const closeness = (name: string, host: string): number => (name === owner.agent ? 2 : host === owner.host ? 1 : 0);
    const mine = closeness(agent, me.host);
    const others = [...this.members].filter(([name, member]) => name !== agent && isLive(member));
    return others.some(([name, { host }]) => closeness(name, host) < mine) ? Number.POSITIVE_INFINITY : mine;
  }

  #isGone(agent: string | undefined): boolean {
    const state = this.members.get(agent ?? '')?.state;
    return state === 'expired' || state === 'left' || state === 'dead';
  }

  #isFree(unit: number): boolean {
    return unit < this.#options.units && this.doneBy[unit] === undefined && !this.#isHeld(unit);
  }

  #isHeld(unit: number): boolean {
    const holder = this.#holder[unit];
    return holder !== undefined && holder.ended === undefined;
  }

  #expiresMs({ renewedMs }: ModelMember): number {
    return renewedMs + this.#options.leaseMs + this.#options.marginMs;
  }

  #held(agent: string, incarnation: number, leaseId: number): ModelLease | undefined {
    return this.leases.find(
      ({ ended, lease }) =>
        ended === undefined && lease.id === leaseId && lease.agent === agent && lease.incarnation === incarnation,
    );
  }

  #loseAll(agent: string, why: 'expired' | 'fenced' | 'dead', stoppedMs: number): Lease[] {
    const leases = this.running(agent);
    for (const one of leases) {
      if (why !== 'dead') this.#putInFlight(one, stoppedMs);
      one.ended = why;
    }
    const member = this.members.get(agent);
    if (!this.#options.durable && member?.state !== 'left') {
      for (const [unit, by] of this.doneBy.entries()) {
        if (by?.agent === agent && by.incarnation === member?.incarnation) this.#doubt(agent, unit);
      }
    }
    return leases.map(({ lease }) => lease);
  }

  #putInFlight({ lease, counted }: ModelLease, stoppedMs: number): void {
    const { agent, incarnation } = lease;
    const untilMs = stoppedMs + this.#options.settleMs;
    for (const unit of unitsOf([lease.first, lease.end])) {
      if (!counted.has(unit)) this.#inFlight.push({ agent, incarnation, unit, untilMs });
    }
  }

  #doubt(agent: string, unit: number): void {
    const units = this.#indeterminate.get(agent) ?? new Set();
    this.#indeterminate.set(agent, units.add(unit));
  }
}
