/**
 * Leases of one stage between the ledgers of its passes and the agents: granted so that nobody waits, taken back when they
 * run out, made durable, settled. The ledgers decide; this says it to the agents.
 */
import { SeedstormError } from '@seedstorm/errors';
import { fromErrorDetail, type LeaseProgress } from '@seedstorm/proto';
import { nowMs, nowNs } from '../clock.js';
import type { Lease, Range } from '../ledger/index.js';
import { type LateWrite, lateMessages } from './late-writes.js';
import type { MixedShards } from './mixed-history.js';
import { count } from './numbers.js';
import type { Participant } from './participant.js';
import type { Passes } from './passes.js';
import type { RunLog } from './run-log.js';
import type { StagePlan } from './stage-plan.js';

/** Leases that an agent holds at least, so that it never waits for the network. */
const minDepth = 3;
/** How much work an agent holds at most, by its own rate, beyond that depth. */
const depthSeconds = 2;
const maxDepth = 256;
/** How often it is said that handing over waits. */
const waitingReminderMs = 30_000;

/** The leases of one stage. */
export class Leasing {
  /** Whether everything is written and agents were asked to make it durable. */
  syncing = false;
  #toldOfWaitingMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly plan: StagePlan,
    private readonly passes: Passes,
    /** The stage's participants, by the key of their incarnation. */
    private readonly participants: ReadonlyMap<string, Participant>,
    private readonly log: RunLog,
    /** What is known of shards, where single blocks were overwritten or are to be. */
    private readonly mixed: MixedShards | undefined,
    /** What lost agents may have written late. */
    private readonly late: () => readonly LateWrite[],
  ) {}

  /** An agent takes part. */
  join(participant: Participant): void {
    const { name, incarnation, host } = participant.member;
    this.passes.join(name, incarnation, host, nowMs());
  }

  /** The first leases go out one agent after the other, so that all have work when the start comes. */
  begin(participants: readonly Participant[]): void {
    for (let depth = 0; depth < minDepth; depth++) {
      for (const participant of participants) if (this.#grant(participant)) participant.startsTogether = true;
    }
  }

  /** An agent has come further: supplies it. */
  supply(participant: Participant): void {
    this.#topUp(participant);
    this.#syncWhenWritten();
  }

  /** Units may have become free, or an agent's to take: supplies everybody. */
  supplyAll(): void {
    for (const participant of this.participants.values()) this.#topUp(participant);
    this.#syncWhenWritten();
  }

  /**
   * Takes what an agent says of a lease into the ledger. Gives the error of a lease that failed.
   * @throws SeedstormError MESSAGE_INVALID when it cannot be true; nothing is changed.
   */
  report({ member, name }: Participant, progress: LeaseProgress): SeedstormError | undefined {
    const leaseId = count(progress.leaseId, 'a lease');
    const lease = this.passes.lease(leaseId);
    const outcome = this.passes.report({
      agent: name,
      incarnation: member.incarnation,
      leaseId,
      epoch: count(progress.epoch, 'an epoch'),
      done: progress.done.map(range),
      written: progress.written.map(range),
      failed: progress.failed.map(range),
    });
    if (outcome.kind === 'refused') {
      throw new SeedstormError({
        code: 'SEEDSTORM_E_MESSAGE_INVALID',
        what: `agent ${name} reports what cannot be true (${outcome.reason}): ${outcome.detail}`,
      });
    }
    if (lease !== undefined) this.mixed?.report({ ...lease, id: leaseId }, progress, outcome.kind === 'fenced');
    if (progress.error === undefined || outcome.kind === 'fenced') return undefined;
    this.passes.undo(name, member.incarnation, leaseId, nowMs());
    return fromErrorDetail(progress.error);
  }

  /** After a break the agent may have missed what it was last told: says it again. */
  repeat(participant: Participant): void {
    for (const lease of this.passes.leasesOf(participant.name)) this.#send(participant, lease);
    if (participant.syncAsked) this.#sync(participant);
  }

  /** An agent's process is gone for certain: nothing of it is in flight. */
  died({ member: { name, incarnation } }: Participant): void {
    const ended = this.passes.lost(name, incarnation, { knownDead: true }, nowMs());
    for (const lease of ended) this.#handOver(lease, 'its process is gone');
    this.supplyAll();
  }

  /** An agent has ended its part and has nothing in flight: what it did not do is free. */
  ended({ member: { name, incarnation } }: Participant): void {
    this.passes.leave(name, incarnation);
    this.passes.drained(name, incarnation);
    this.supplyAll();
  }

  /** Time has passed: hands over what ran out. */
  tick(): void {
    const { leases, handover } = this.passes.expire(nowMs());
    for (const lease of leases) this.#handOver(lease, 'its lease ran out');
    if (handover.waiting && nowMs() - this.#toldOfWaitingMs > waitingReminderMs) {
      this.#toldOfWaitingMs = nowMs();
      const mend = 'mend the network, or stop the run, or start these agents again';
      this.log.event('warning', 'handover-waits', `${handover.reason} (${handover.silent.join(', ')}); ${mend}`);
    }
    if (leases.length > 0) this.supplyAll();
  }

  /** Keeps an agent at its depth: a few leases at least, and as many as it works off in the next two seconds. */
  #topUp(participant: Participant): void {
    if (participant.state !== 'running') return;
    const perLease = this.plan.leaseUnits * this.plan.content.unitBytes;
    const byRate = (participant.totals.bytesPerSecond(nowNs()) * depthSeconds) / perLease;
    const depth = Math.min(maxDepth, Math.max(minDepth, Math.ceil(byRate)));
    while (this.passes.openLeasesOf(participant.name) < depth) {
      if (!this.#grant(participant)) return;
    }
  }

  #grant(participant: Participant): boolean {
    const lease = this.passes.grant(participant.name, nowMs());
    if (lease === undefined) return false;
    participant.syncAsked = false;
    this.#send(participant, lease);
    return true;
  }

  #send(participant: Participant, lease: Lease): void {
    const units = { first: BigInt(lease.first), end: BigInt(lease.end) };
    const round = this.passes.lease(lease.id)?.round ?? 0;
    const shards = this.mixed?.grant(lease, round) ?? [];
    const late = lateMessages(this.late(), lease);
    const ids = { stage: this.plan.wireStage, leaseId: BigInt(lease.id), epoch: BigInt(lease.epoch) };
    const value = { ...ids, units, shards, late };
    participant.member.send({ $case: 'grantLease', value });
  }

  /** Under `sync: end`, once every unit is written somewhere, asks everybody to make it durable. */
  #syncWhenWritten(): void {
    if (this.plan.sync !== 'end' || this.passes.isAccountedFor()) return;
    const coverage = this.passes.coverage();
    const open = [...coverage.agents.values()].reduce((sum, agent) => sum + agent.openLeases, 0);
    this.syncing = coverage.free === 0 && open === 0;
    if (!this.syncing) return;
    for (const participant of this.participants.values()) {
      if (participant.state === 'running' && !participant.syncAsked) this.#sync(participant);
    }
  }

  #sync(participant: Participant): void {
    participant.syncAsked = true;
    participant.member.send({ $case: 'syncStage', value: { stage: this.plan.wireStage } });
  }

  #handOver({ id, agent, incarnation, first, end }: Lease, why: string): void {
    this.log.event('warning', 'lease-handed-over', `units ${first}…${end - 1} of ${agent} are handed over: ${why}`);
    const holder = this.participants.get(`${agent} ${incarnation}`);
    holder?.member.send({ $case: 'fenceLease', value: { stage: this.plan.wireStage, leaseId: BigInt(id) } });
  }
}

function range({ first, end }: { first: bigint; end: bigint }): Range {
  return [count(first, 'a unit'), count(end, 'a unit')];
}
