/**
 * The agents of one ledger: which incarnation counts, who is silent, and whether silence means death or the network.
 */
import type { Handover } from './coverage.js';
import type { LeaseRecord } from './lease.js';
import { MAX_MEMBERS, type Member } from './options.js';

/**
 * - `live`: renews its leases. `absent`: its connection broke, its leases run to their end.
 * - `expired`: its leases were handed over; it may come back. `left`: it gave everything back.
 * - `dead`: known to be gone; only a newer incarnation may come back.
 */
export type Presence = 'live' | 'absent' | 'expired' | 'left' | 'dead';

/** One agent over all its incarnations; leases are those of the incarnation named here. */
export interface MemberRecord {
  readonly agent: string;
  incarnation: number;
  host: string;
  presence: Presence;
  /** When the coordinator last acknowledged a renewal. */
  renewedMs: number;
  readonly leases: Set<LeaseRecord>;
  openLeases: number;
  done: number;
  rework: number;
}

/** The times that decide on silence; see the options of the ledger. */
export interface Patience {
  readonly leaseMs: number;
  readonly marginMs: number;
  readonly silentMs: number;
}

/** Whether leases of this member may still be running, or may be renewed before they are handed over. */
export function isPresent(member: MemberRecord): boolean {
  return member.presence === 'live' || member.presence === 'absent';
}

/** All agents that the ledger ever saw, by name, in the order in which they came. */
export class Members {
  readonly #patience: Patience;
  readonly #byAgent = new Map<string, MemberRecord>();

  constructor(patience: Patience) {
    this.#patience = patience;
  }

  get(agent: string): MemberRecord | undefined {
    return this.#byAgent.get(agent);
  }

  all(): IterableIterator<MemberRecord> {
    return this.#byAgent.values();
  }

  isFull(): boolean {
    return this.#byAgent.size >= MAX_MEMBERS;
  }

  add({ agent, incarnation, host }: Member, presence: Presence, nowMs: number): MemberRecord {
    const leases = new Set<LeaseRecord>();
    const counts = { openLeases: 0, done: 0, rework: 0 };
    const member: MemberRecord = { agent, incarnation, host, presence, renewedMs: nowMs, leases, ...counts };
    this.#byAgent.set(agent, member);
    return member;
  }

  /** When the member itself stops, at the latest: it counts from before the coordinator does. */
  stopsMs(member: MemberRecord): number {
    return member.renewedMs + this.#patience.leaseMs;
  }

  /** When its leases may be handed over: a margin later, since its clock may be the slower one. */
  expiresMs(member: MemberRecord): number {
    return this.stopsMs(member) + this.#patience.marginMs;
  }

  /** Whether the member can work on what it is given now. */
  isLive(member: MemberRecord, nowMs: number): boolean {
    return member.presence === 'live' && nowMs < this.stopsMs(member);
  }

  /** How many members can work now. */
  countLive(nowMs: number): number {
    let count = 0;
    for (const member of this.#byAgent.values()) if (this.isLive(member, nowMs)) count += 1;
    return count;
  }

  /** Whether a member that can work now is as wanted. */
  someLive(nowMs: number, isWanted: (member: MemberRecord) => boolean): boolean {
    for (const member of this.#byAgent.values()) if (this.isLive(member, nowMs) && isWanted(member)) return true;
    return false;
  }

  /** Members whose leases ran out. */
  due(nowMs: number): MemberRecord[] {
    return [...this.#byAgent.values()].filter((member) => isPresent(member) && this.expiresMs(member) <= nowMs);
  }

  /**
   * Whether what is due may be handed over. One silent agent among others is taken for dead; more than a third of
   * them silent at the same time is the network, and so is the only one there is. Silence counts long before a lease
   * ends: agents that fell silent in one instant reach the ends of their leases one after the other.
   */
  handover(nowMs: number): Handover {
    const present = [...this.#byAgent.values()].filter(isPresent);
    const silent = present
      .filter((member) => member.presence === 'absent' || nowMs - member.renewedMs >= this.#patience.silentMs)
      .map((member) => member.agent);
    const isLoneDeath = silent.length === 1 && present.length > 1;
    if (silent.length * 3 <= present.length || isLoneDeath) return { waiting: false };
    const reason = `${silent.length} of ${present.length} agents are silent together: waiting for the network`;
    return { waiting: true, reason, silent, members: present.length };
  }

  /** When the next member's leases run out. */
  nextExpiryMs(): number | undefined {
    let next: number | undefined;
    for (const member of this.#byAgent.values()) {
      if (isPresent(member)) next = Math.min(next ?? Number.POSITIVE_INFINITY, this.expiresMs(member));
    }
    return next;
  }
}
