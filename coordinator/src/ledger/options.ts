/**
 * What a ledger is made from: how many units, where leases may end, how long they last and who may take what.
 */
import { assert, assertInteger } from './assert.js';
import type { Range } from './intervals.js';

/** Most units of one ledger. Half of the safe integers, so that a sum of two unit numbers stays exact. */
export const MAX_UNITS = 2 ** 52;
/** Most units of one lease, and so of one object: what a dead agent can cost is bounded. */
export const MAX_LEASE_UNITS = 2 ** 32;
/** Most agents that one ledger ever sees. */
export const MAX_MEMBERS = 65_536;
/** Most leases of one agent that still have units to work on. */
export const MAX_OPEN_LEASES_PER_AGENT = 1024;
/** Most intervals in each list of one report. */
export const MAX_RANGES_PER_REPORT = 4096;

/** An agent process: the name that it keeps, the number that rises with each start of it, and where it runs. */
export interface Member {
  readonly agent: string;
  readonly incarnation: number;
  readonly host: string;
}

/** Units [first, end) and who did them; what one stage leaves for the placement of the next. */
export interface WriterRange {
  readonly first: number;
  readonly end: number;
  readonly agent: string;
  readonly host: string;
}

/** Units [first, end), who did them, and between when. */
export interface Deed extends WriterRange {
  readonly afterMs: number;
  readonly beforeMs: number;
}

/**
 * Which agent may take which units.
 * - `any`: whoever asks.
 * - `other`: verify by another. An agent on another host than the writer's; where none lives, another agent than the
 *   writer; the writer itself only when it is the last live agent. Units without a writer are anybody's.
 * - `same`: node-local data. Only the writer; the units of a writer that is gone are lost until it comes back.
 *   Units without a writer are anybody's.
 */
export type Placement =
  | { readonly kind: 'any' }
  | { readonly kind: 'other'; readonly writers: readonly WriterRange[] }
  | { readonly kind: 'same'; readonly writers: readonly WriterRange[] };

/**
 * How units are dealt out.
 * - `dynamic`: to whoever asks, within the placement, in smaller leases towards the end.
 * - `static`: contiguous shares, equal to within one object, in the order of `members`, who join at `nowMs`. The share
 *   of a member that is gone is anybody's. A verify by another after a static write names the members rotated.
 */
export type Assign =
  | { readonly kind: 'dynamic'; readonly placement: Placement }
  | { readonly kind: 'static'; readonly members: readonly Member[]; readonly nowMs: number };

/** See {@link Ledger}. */
export interface LedgerOptions {
  /** N: the pass covers units 0…N−1. */
  readonly units: number;
  /** Leases end on multiples of this: the units of one object, or in a single shared object the units of `align`. */
  readonly boundaryUnits: number;
  /** Target size of a lease; rounded to whole boundaries, at least one. */
  readonly leaseUnits: number;
  readonly assign: Assign;
  /** How long a lease runs on after the last renewal that the coordinator acknowledged. */
  readonly leaseMs: number;
  /** How much longer than `leaseMs` the coordinator waits before it hands over: clocks differ in speed. */
  readonly marginMs: number;
  /** How long a lost holder's writes may still arrive after its leases were ended. Default 60,000. */
  readonly settleMs?: number;
  /** Silence after which an agent counts as silent together with others. Default 3,000, at most `leaseMs`. */
  readonly silentMs?: number;
  /** Whether done means durable; false under `sync: never`, where a lost agent's done units are indeterminate. */
  readonly durable: boolean;
  /** Units that the pass has no part in: their write failed, so that nobody knows what is there. */
  readonly leftOut?: readonly Range[];
  /**
   * Whether leases get smaller towards the end, so that all agents end together; not where another pass follows, or time
   * ends them. Default true.
   */
  readonly endsTogether?: boolean;
}

/** Options with every default filled in and `leaseUnits` rounded. */
export type ResolvedOptions = Required<LedgerOptions>;

/** Checks options and fills in the defaults; throws on options that no plan resolves to. */
export function resolveOptions(options: LedgerOptions): ResolvedOptions {
  const { units, boundaryUnits, leaseMs, marginMs, settleMs = 60_000, assign, leftOut = [] } = options;
  const silentMs = options.silentMs ?? Math.min(3000, leaseMs);
  assertInteger(units, 1, 'units');
  assert(units <= MAX_UNITS, () => `units must be at most ${MAX_UNITS}, not ${units}`);
  assertInteger(boundaryUnits, 1, 'boundaryUnits');
  assert(
    boundaryUnits <= MAX_LEASE_UNITS,
    () => `boundaryUnits must be at most ${MAX_LEASE_UNITS}, not ${boundaryUnits}`,
  );
  assertInteger(options.leaseUnits, 1, 'leaseUnits');
  const most = Math.floor(MAX_LEASE_UNITS / boundaryUnits);
  const boundaries = Math.min(most, Math.max(1, Math.round(options.leaseUnits / boundaryUnits)));
  for (const [name, value] of Object.entries({ leaseMs, marginMs, settleMs, silentMs })) {
    assert(Number.isFinite(value) && value >= 0, () => `${name} must be a time of at least 0 ms, not ${value}`);
  }
  assert(leaseMs > 0, () => 'leaseMs must be more than 0');
  assert(silentMs <= leaseMs, () => `silentMs ${silentMs} must be at most leaseMs ${leaseMs}`);
  if (assign.kind === 'static') {
    assert(assign.members.length > 0, () => 'static shares need at least one member');
    const names = new Set(assign.members.map((member) => member.agent));
    assert(names.size === assign.members.length, () => 'static shares name a member twice');
  } else if (assign.placement.kind !== 'any') {
    checkWriters(assign.placement.writers, units);
  }
  const { endsTogether = true } = options;
  return { ...options, leaseUnits: boundaries * boundaryUnits, settleMs, silentMs, leftOut, endsTogether };
}

function checkWriters(writers: readonly WriterRange[], units: number): void {
  let covered = 0;
  for (const { first, end } of writers) {
    assertInteger(first, covered, 'first unit of a writer');
    assertInteger(end, first + 1, 'end of a writer');
    covered = end;
  }
  assert(covered <= units, () => `writers end at ${covered} of ${units} units`);
}
