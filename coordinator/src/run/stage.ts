/**
 * One stage of a run, from prepare to end: everybody gets ready, starts at one instant, is leased seed ranges until
 * the ledger has every unit, and closes. Here the ledger, the agents and the clock meet; what counts is decided by the
 * ledger alone.
 */
import { asSeedstormError, SeedstormError } from '@seedstorm/errors';
import { type Finding, fromErrorDetail, type LeaseProgress, type Report } from '@seedstorm/proto';
import { nowMs, nowNs } from '../clock.js';
import { type Lease, Ledger, type Range, type WriterRange } from '../ledger/index.js';
import { hostShares } from '../membership/host-shares.js';
import type { Member } from '../membership/member.js';
import type { FromAgent, Members, MembersListener } from '../membership/members.js';
import type { Findings } from './findings.js';
import { LatencyTotals } from './latency-totals.js';
import { count, latest } from './numbers.js';
import { Participant, participantKey } from './participant.js';
import type { RunLog } from './run-log.js';
import { ledgerOptions, prepareStage, type StagePlan } from './stage-plan.js';
import { stageProgress } from './stage-result.js';

/** How far ahead of now the common start is set: it must have reached every agent by then. */
const startLeadNs = 200_000_000n;
/** A clock is known well when its error is below this; a start within it is together for any storage. */
const wellKnownNs = 500_000n;
const clocksTimeoutMs = 1000;
const probeEveryMs = 10;
const prepareTimeoutMs = 60_000;
const endTimeoutMs = 60_000;
/** How long a stage goes on without any agent before it gives up. */
const noAgentsTimeoutMs = 30_000;
/** Leases that an agent holds at least, so that it never waits for the network. */
const minDepth = 3;
/** How much work an agent holds at most, by its own rate, beyond that depth. */
const depthSeconds = 2;
const maxDepth = 256;
const tickMs = 100;
const progressMs = 1000;
const maxNotes = 200;

/** What a stage is doing. */
export type Phase = 'waiting' | 'preparing' | 'running' | 'syncing' | 'ending';

/** How a stage ended. */
export interface StageOutcome {
  readonly complete: boolean;
  /** Why it did not complete; absent when it did, or when it was stopped by the user. */
  readonly error: SeedstormError | undefined;
}

/** One stage of a run. */
export class Stage implements MembersListener {
  readonly participants = new Map<string, Participant>();
  /** Latency since the last progress, all agents. */
  readonly latencyOfTick = new LatencyTotals();
  ledger: Ledger | undefined;
  phase: Phase = 'waiting';
  /** The common start, on the coordinator's clock. */
  startNs = 0n;
  /** The largest error bound of a clock that the start relied on. */
  clockErrorNs = 0n;
  readonly notes: string[] = [];
  readonly #writers: readonly WriterRange[];
  #failure: SeedstormError | undefined;
  #cancelled = false;
  #handoverWaits = false;
  #noAgentsSinceMs: number | undefined;
  #waiters: { ready: () => boolean; resolve: () => void }[] = [];

  constructor(
    readonly plan: StagePlan,
    private readonly members: Members,
    private readonly log: RunLog,
    private readonly findings: Findings,
    /** Who wrote what is read, and whether nobody can still be writing it; absent when nothing was written. */
    private readonly written: Ledger | undefined,
  ) {
    this.#writers = written?.writers() ?? [];
  }

  /** Runs the stage to its end; it never throws: what went wrong is in the outcome. */
  async run(): Promise<StageOutcome> {
    const stopListening = this.members.listen(this);
    const ticker = setInterval(() => this.#guard(() => this.#tick()), tickMs);
    const progress = setInterval(() => this.#guard(() => this.#progress()), progressMs);
    try {
      await this.#wait();
      if (!this.#over()) await this.#prepare();
      if (!this.#over()) await this.#work();
      await this.#end();
    } catch (error) {
      this.#fail(asSeedstormError(error));
      await this.#end();
    } finally {
      clearInterval(ticker);
      clearInterval(progress);
      stopListening();
    }
    this.#progress();
    return { complete: this.ledger?.isComplete() ?? false, error: this.#failure };
  }

  /** Asks the stage to end after the I/O in flight. */
  cancel(): void {
    this.#cancelled = true;
    this.#wake();
  }

  // ── What agents do and say ───────────────────────────────────────────────────────────────────────────────────────

  joined(member: Member): void {
    this.#guard(() => {
      if (this.phase === 'running' || this.phase === 'syncing') this.#invite(member);
    });
  }

  returned(member: Member): void {
    this.#guard(() => {
      const participant = this.participants.get(participantKey(member));
      if (participant === undefined) return this.joined(member);
      this.log.event('info', 'agent-returned', `agent ${member.name} is back`);
      if (participant.state === 'preparing') member.send(prepareStage(this.plan, member, this.#shares()));
      if (participant.state === 'running') this.#start(participant);
      for (const lease of this.ledger?.leasesOf(member.name) ?? []) this.#send(participant, lease);
      if (participant.syncAsked) member.send({ $case: 'syncStage', value: { stage: this.plan.index } });
      if (participant.state === 'ending') this.#sayEnd(participant);
    });
  }

  suspected(member: Member): void {
    if (this.participants.has(participantKey(member))) {
      this.log.event(
        'warning',
        'agent-suspect',
        `agent ${member.name} is silent; its leases run out ${this.members.leaseMs / 1000} s after it was last heard`,
      );
    }
  }

  lost(member: Member, knownDead: boolean): void {
    this.#guard(() => {
      const participant = this.participants.get(participantKey(member));
      if (knownDead) this.written?.lost(member.name, member.incarnation, { knownDead }, nowMs());
      if (participant === undefined || participant.state === 'gone') return;
      participant.state = 'gone';
      this.log.event(
        'warning',
        'agent-lost',
        `agent ${member.name} is lost: ${knownDead ? 'its process is gone' : 'it is silent'}`,
      );
      // Without certainty the leases run out by themselves, in #tick.
      const ended = knownDead ? (this.ledger?.lost(member.name, member.incarnation, { knownDead }, nowMs()) ?? []) : [];
      for (const lease of ended) this.#handedOver(lease, 'its process is gone');
      this.#topUpAll();
    });
  }

  leaving(member: Member): boolean {
    const participant = this.participants.get(participantKey(member));
    if (participant === undefined || participant.state === 'gone' || participant.state === 'ended') return false;
    this.log.event('info', 'agent-leaving', `agent ${member.name} is leaving`);
    this.#guard(() => this.#sayEnd(participant, true));
    return true;
  }

  heartbeat(member: Member): void {
    this.ledger?.renew(member.name, member.incarnation, nowMs());
  }

  said(member: Member, message: FromAgent): void {
    const participant = this.participants.get(participantKey(member));
    if (participant === undefined || !('stage' in message.value) || message.value.stage !== this.plan.index) return;
    switch (message.$case) {
      case 'stagePrepared':
        this.#prepared(participant, message.value.error && fromErrorDetail(message.value.error), message.value.notes);
        break;
      case 'report':
        this.#report(participant, message.value);
        break;
      case 'stageEnded':
        if (message.value.error !== undefined && !this.#cancelled)
          this.#fail(ofAgent(participant, fromErrorDetail(message.value.error)));
        participant.closeNs = message.value.closeNs;
        participant.folderRemoved = message.value.runFolderRemoved;
        this.#ended(participant);
        break;
    }
    this.#wake();
  }

  // ── The phases ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** The plan's delay, and until nobody can still be writing what this stage removes or writes again. */
  async #wait(): Promise<void> {
    const until = nowMs() + this.plan.delayMs;
    if (this.plan.delayMs > 0) {
      this.log.event(
        'info',
        'stage-waiting',
        `${this.plan.name} begins in ${this.plan.delayMs / 1000} s, as the plan says`,
      );
    }
    await this.#until(() => nowMs() >= until || this.#over());
    const { written } = this;
    if (written === undefined || !this.plan.needsSettled) return;
    written.expire(nowMs());
    if (!written.isSettled()) {
      const holders = [...new Set(written.unsettled().map((late) => late.agent))].join(', ');
      this.log.event(
        'warning',
        'settling',
        `${this.plan.name} waits: lost agents (${holders}) may still have writes in flight`,
      );
    }
    await this.#until(() => {
      written.expire(nowMs());
      return written.isSettled() || this.#over();
    });
  }

  async #prepare(): Promise<void> {
    this.phase = 'preparing';
    for (const member of this.members.working()) this.#invite(member);
    const preparing = (): Participant[] => this.#in('preparing');
    await this.#until(() => preparing().length === 0 || this.#over(), prepareTimeoutMs);
    const late = preparing();
    if (late.length > 0 && !this.#over()) {
      throw new SeedstormError({
        code: 'SEEDSTORM_E_STAGE_FAILED',
        what: `${late.map((p) => p.name).join(', ')} did not get ready for ${this.plan.name} within ${prepareTimeoutMs / 1000} s`,
        mend: 'look at the log of these agents',
      });
    }
    if (this.#in('ready').length === 0 && !this.#over()) {
      throw new SeedstormError({ code: 'SEEDSTORM_E_NO_AGENTS', what: `no agent is left for ${this.plan.name}` });
    }
    await this.#measureClocks();
  }

  /** Measures clocks until each is known well, or for a second: agents are idle now, so round trips are at their best. */
  async #measureClocks(): Promise<void> {
    const deadline = nowMs() + clocksTimeoutMs;
    const vague = (): Participant[] =>
      this.#in('ready').filter(({ member: { clock } }) => !(clock.known && clock.errorNs < wellKnownNs));
    while (vague().length > 0 && !this.#over()) {
      if (nowMs() > deadline && vague().every(({ member }) => member.clock.known)) return;
      for (const { member } of vague()) member.probeClock();
      await new Promise((resolve) => setTimeout(resolve, probeEveryMs));
    }
  }

  async #work(): Promise<void> {
    const ready = this.#in('ready');
    const members = ready.map(({ member: { name: agent, incarnation, host } }) => ({ agent, incarnation, host }));
    this.ledger = new Ledger(ledgerOptions(this.plan, this.members, members, this.#writers, nowMs()));
    for (const { agent, incarnation, host } of members) this.ledger.join(agent, incarnation, host, nowMs());
    this.startNs = nowNs() + startLeadNs;
    this.phase = 'running';
    this.log.event('info', 'stage-started', `${this.plan.name}: ${ready.length} agents start together`);
    for (const participant of ready) {
      this.clockErrorNs = latest(this.clockErrorNs, participant.member.clock.errorNs);
      this.#start(participant);
    }
    // Leases go out before the start, one agent after the other, so that all have work when it comes.
    for (let depth = 0; depth < minDepth; depth++) for (const participant of ready) this.#grantOne(participant);
    const { ledger } = this;
    await this.#until(() => ledger.isOver() || this.#over());
    const { lost } = ledger.coverage();
    if (lost > 0 && !this.#over()) {
      throw new SeedstormError({
        code: 'SEEDSTORM_E_UNITS_LOST',
        what: `${lost} units of node-local data went with the agents that wrote them`,
      });
    }
  }

  async #end(): Promise<void> {
    this.phase = 'ending';
    for (const participant of this.participants.values()) {
      if (participant.state !== 'ended' && participant.state !== 'gone') this.#sayEnd(participant);
    }
    await this.#until(() => this.#in('ending').length === 0, endTimeoutMs);
    for (const { totals, namedFindings } of this.participants.values()) {
      if (totals.findings > namedFindings) this.findings.unnamed();
    }
    for (const participant of this.#in('ending')) {
      this.log.event(
        'error',
        'agent-hung',
        `agent ${participant.name} has I/O that does not come back: ${this.plan.name} ends without it`,
      );
    }
  }

  // ── Steps ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #invite(member: Member): void {
    if (!member.working || this.participants.has(participantKey(member))) return;
    this.participants.set(participantKey(member), new Participant(member));
    member.send(prepareStage(this.plan, member, this.#shares()));
  }

  #shares(): ReturnType<typeof hostShares> {
    return hostShares(this.members.working().map(({ hello }) => hello));
  }

  #prepared(participant: Participant, error: SeedstormError | undefined, notes: readonly string[]): void {
    this.#note(participant, notes);
    if (participant.state !== 'preparing') return;
    if (error !== undefined) {
      participant.state = 'ended';
      this.#fail(ofAgent(participant, error));
      return;
    }
    participant.state = 'ready';
    if (this.ledger === undefined || this.#over()) return;
    // A late joiner: the others run already.
    const { name, incarnation, host } = participant.member;
    this.ledger.join(name, incarnation, host, nowMs());
    this.log.event('info', 'agent-joined', `agent ${name} joins ${this.plan.name}`);
    this.#start(participant);
    this.#topUp(participant);
  }

  #start(participant: Participant): void {
    participant.state = 'running';
    const atAgentNs = participant.member.clock.toAgent(latest(this.startNs, nowNs()));
    participant.member.send({ $case: 'startStage', value: { stage: this.plan.index, atAgentNs } });
  }

  #report(participant: Participant, report: Report): void {
    const gains = participant.totals.take(report, nowNs());
    participant.member.send({ $case: 'reportAck', value: { stage: this.plan.index, sequence: report.sequence } });
    if (gains === undefined) return;
    for (const gain of gains) this.latencyOfTick.add(gain);
    this.#note(participant, report.notes);
    for (const finding of report.findings) this.#finding(participant, finding);
    for (const lease of report.leases) this.#lease(participant, lease);
    this.#topUp(participant);
    this.#syncWhenWritten();
  }

  #finding(participant: Participant, found: Finding): void {
    participant.namedFindings += 1;
    const { kind, path, offset, unit, detail } = this.findings.add(found, participant.name, this.#writers);
    const about = detail === '' ? '' : `: ${detail}`;
    this.log.event('error', 'finding', `${kind} in ${path} at offset ${offset} (unit ${unit})${about}`);
  }

  #lease(participant: Participant, progress: LeaseProgress): void {
    const { ledger } = this;
    if (ledger === undefined) return;
    const leaseId = count(progress.leaseId, 'a lease');
    const outcome = ledger.report({
      agent: participant.name,
      incarnation: participant.member.incarnation,
      leaseId,
      epoch: count(progress.epoch, 'an epoch'),
      done: progress.done.map(range),
      written: progress.written.map(range),
    });
    if (outcome.kind === 'refused') {
      throw new SeedstormError({
        code: 'SEEDSTORM_E_MESSAGE_INVALID',
        what: `agent ${participant.name} reports what cannot be true (${outcome.reason}): ${outcome.detail}`,
      });
    }
    if (progress.error !== undefined && outcome.kind !== 'fenced') {
      ledger.undo(participant.name, participant.member.incarnation, leaseId, nowMs());
      this.#fail(ofAgent(participant, fromErrorDetail(progress.error)));
    }
  }

  #topUpAll(): void {
    for (const participant of this.#in('running')) this.#topUp(participant);
    this.#syncWhenWritten();
  }

  /** Keeps an agent supplied: a few leases at least, and as many as it works off in the next two seconds. */
  #topUp(participant: Participant): void {
    if (participant.state !== 'running' || this.#over()) return;
    const perLease = this.plan.leaseUnits * this.plan.content.unitBytes;
    const byRate = (participant.totals.bytesPerSecond(nowNs()) * depthSeconds) / perLease;
    const depth = Math.min(maxDepth, Math.max(minDepth, Math.ceil(byRate)));
    while ((this.ledger?.coverage().agents.get(participant.name)?.openLeases ?? 0) < depth) {
      if (!this.#grantOne(participant)) return;
    }
  }

  #grantOne(participant: Participant): boolean {
    const lease = this.ledger?.grant(participant.name, nowMs());
    if (lease === undefined) return false;
    participant.syncAsked = false;
    this.#send(participant, lease);
    return true;
  }

  #send(participant: Participant, lease: Lease): void {
    const units = { first: BigInt(lease.first), end: BigInt(lease.end) };
    const value = { stage: this.plan.index, leaseId: BigInt(lease.id), epoch: BigInt(lease.epoch), units };
    participant.member.send({ $case: 'grantLease', value });
  }

  /** Under `sync: end`, once every unit is written somewhere, asks everybody to make it durable. */
  #syncWhenWritten(): void {
    if (this.ledger === undefined || this.plan.sync !== 'end' || this.#over() || this.ledger.isComplete()) return;
    const coverage = this.ledger.coverage();
    const open = [...coverage.agents.values()].reduce((sum, agent) => sum + agent.openLeases, 0);
    this.phase = coverage.free === 0 && open === 0 ? 'syncing' : 'running';
    if (this.phase === 'running') return;
    for (const participant of this.#in('running')) {
      if (participant.syncAsked) continue;
      participant.syncAsked = true;
      participant.member.send({ $case: 'syncStage', value: { stage: this.plan.index } });
    }
  }

  #sayEnd(participant: Participant, cancel = this.#over()): void {
    participant.state = 'ending';
    const value = { stage: this.plan.index, cancel, removeRunFolder: this.plan.removesRunFolder };
    participant.member.send({ $case: 'endStage', value });
  }

  #ended(participant: Participant): void {
    if (participant.state === 'ended' || participant.state === 'gone') return;
    participant.state = 'ended';
    const { name, incarnation } = participant.member;
    this.ledger?.leave(name, incarnation);
    this.ledger?.drained(name, incarnation);
    if (participant.member.state === 'leaving') {
      participant.state = 'gone';
      this.members.dismiss(participant.member);
    }
    this.#topUpAll();
  }

  #tick(): void {
    const { ledger } = this;
    if (ledger !== undefined && (this.phase === 'running' || this.phase === 'syncing')) {
      const { leases, handover } = ledger.expire(nowMs());
      for (const lease of leases) this.#handedOver(lease, 'its lease ran out');
      if (handover.waiting !== this.#handoverWaits) {
        this.#handoverWaits = handover.waiting;
        if (handover.waiting) this.log.event('warning', 'handover-waits', handover.reason);
      }
      this.#watchForAgents();
      if (leases.length > 0) this.#topUpAll();
    }
    this.#wake();
  }

  #handedOver(lease: Lease, why: string): void {
    this.log.event(
      'warning',
      'lease-handed-over',
      `units ${lease.first}…${lease.end - 1} of ${lease.agent} are handed over: ${why}`,
    );
    const participant = this.participants.get(`${lease.agent} ${lease.incarnation}`);
    participant?.member.send({ $case: 'fenceLease', value: { stage: this.plan.index, leaseId: BigInt(lease.id) } });
  }

  #watchForAgents(): void {
    if (this.#in('running').length > 0 || this.#in('preparing').length > 0) {
      this.#noAgentsSinceMs = undefined;
      return;
    }
    this.#noAgentsSinceMs ??= nowMs();
    if (nowMs() - this.#noAgentsSinceMs < noAgentsTimeoutMs) return;
    this.#fail(
      new SeedstormError({ code: 'SEEDSTORM_E_AGENT_LOST', what: `no agent is left to end ${this.plan.name}` }),
    );
  }

  #note(participant: Participant, notes: readonly string[]): void {
    for (const note of notes) {
      if (this.notes.includes(note) || this.notes.length >= maxNotes) continue;
      this.notes.push(note);
      this.log.event('warning', 'note', `${participant.name}: ${note}`);
    }
  }

  #progress(): void {
    if (this.phase === 'waiting' && this.plan.delayMs === 0) return;
    this.log.progress(stageProgress(this));
    this.latencyOfTick.reset();
    // Who may take what also changes by time alone, when agents fall silent.
    if (this.phase === 'running' || this.phase === 'syncing') this.#topUpAll();
  }

  #fail(error: SeedstormError): void {
    this.#failure ??= error;
    this.#wake();
  }

  #over(): boolean {
    return this.#cancelled || this.#failure !== undefined;
  }

  #in(state: Participant['state']): Participant[] {
    return [...this.participants.values()].filter((participant) => participant.state === state);
  }

  /** What a timer or a neighbour calls must not throw at it: the stage fails instead. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#fail(asSeedstormError(error));
    }
    this.#wake();
  }

  /** Resolves when `ready` holds, or after `timeoutMs`. */
  #until(ready: () => boolean, timeoutMs?: number): Promise<void> {
    if (ready()) return Promise.resolve();
    return new Promise((resolve) => {
      const deadline = timeoutMs === undefined ? undefined : nowMs() + timeoutMs;
      this.#waiters.push({ ready: () => ready() || (deadline !== undefined && nowMs() >= deadline), resolve });
    });
  }

  #wake(): void {
    const waiting = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiting) {
      if (waiter.ready()) waiter.resolve();
      else this.#waiters.push(waiter);
    }
  }
}

function range({ first, end }: { first: bigint; end: bigint }): Range {
  return [count(first, 'a unit'), count(end, 'a unit')];
}

function ofAgent(participant: Participant, error: SeedstormError): SeedstormError {
  return new SeedstormError({ code: error.code, what: `agent ${participant.name}: ${error.what}`, mend: error.mend });
}
