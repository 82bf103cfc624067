/**
 * One stage of a run, from prepare to end: everybody gets ready, starts at one instant, is leased seed ranges until
 * the ledger has every unit, and closes. Here the ledger, the agents and the clock meet; what counts is decided by the
 * ledger alone.
 */
import { asSeedstormError, SeedstormError } from '@seedstorm/errors';
import { type Finding, fromErrorDetail, type Report } from '@seedstorm/proto';
import { nowMs, nowNs } from '../clock.js';
import { Ledger, type WriterRange } from '../ledger/index.js';
import { hostShares } from '../membership/host-shares.js';
import { measureClocks } from '../membership/measure-clocks.js';
import type { Member } from '../membership/member.js';
import type { FromAgent, Members, MembersListener } from '../membership/members.js';
import type { Findings } from './findings.js';
import { LatencyTotals } from './latency-totals.js';
import { Leasing } from './leasing.js';
import { latest } from './numbers.js';
import { Participant, participantKey } from './participant.js';
import type { RunLog } from './run-log.js';
import { settle } from './settling.js';
import { isLocal, ledgerOptions, prepareStage, type StagePlan } from './stage-plan.js';
import { stageProgress } from './stage-result.js';
import { Waiters } from './waiters.js';

/** How far ahead of now the common start is set: it must have reached every agent by then. */
const startLeadNs = 200_000_000n;
const prepareTimeoutMs = 60_000;
/** Where page caches are dropped, all that is dirty on the hosts is written back first. */
const dropCachesTimeoutMs = 600_000;
const cleanUpPrepareTimeoutMs = 10_000;
const endTimeoutMs = 60_000;
/** How long a stage goes on without any agent before it gives up. */
const noAgentsTimeoutMs = 30_000;
const tickMs = 100;
const progressMs = 1000;
const maxNotes = 200;

/** What a stage is doing. */
export type Phase = 'waiting' | 'preparing' | 'running' | 'syncing' | 'ending';

/** How a stage ended. */
export interface StageOutcome {
  readonly complete: boolean;
  /** Units that went with the agents that wrote them. */
  readonly lost: number;
  /** Why it did not complete; absent when it did, or when it was stopped by the user. */
  readonly error: SeedstormError | undefined;
}

/** One stage of a run. */
export class Stage implements MembersListener {
  readonly participants = new Map<string, Participant>();
  /** Latency since the last progress, all agents. */
  readonly latencyOfTick = new LatencyTotals();
  ledger: Ledger | undefined;
  /** The common start, on the coordinator's clock. */
  startNs = 0n;
  /** The largest error bound of a clock that the start relied on. */
  clockErrorNs = 0n;
  readonly notes: string[] = [];
  /** Who wrote what this stage reads. */
  readonly writers: readonly WriterRange[];
  #phase: Phase = 'waiting';
  #failure: SeedstormError | undefined;
  #cancelled = false;
  #noAgentsSinceMs: number | undefined;
  #leasing: Leasing | undefined;
  readonly #waiters = new Waiters();

  constructor(
    readonly plan: StagePlan,
    private readonly members: Members,
    private readonly log: RunLog,
    private readonly findings: Findings,
    /** The ledger of the write that made the data: who wrote what; absent when nothing was written. */
    written: Ledger | undefined,
    /** The ledgers of all earlier writes and deletes: whether somebody may still be at it. */
    private readonly earlier: readonly Ledger[],
  ) {
    this.writers = written?.writers() ?? [];
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
    const coverage = this.ledger?.coverage();
    return { complete: this.ledger?.isComplete() ?? false, lost: coverage?.lost ?? 0, error: this.#failure };
  }

  /** What it is doing. */
  get phase(): Phase {
    return this.#phase === 'running' && this.#leasing?.syncing === true ? 'syncing' : this.#phase;
  }

  /** Whether the run's own folder was removed; any agent can where all see the same, else one on each host must. */
  get folderRemoved(): boolean {
    const all = this.#in('ended');
    const removed = (host?: string): boolean =>
      all.some((each) => each.folderRemoved && (host === undefined || each.member.host === host));
    if (!isLocal(this.plan.target)) return removed();
    const hosts = [...this.participants.values()].map(({ member: { host } }) => host);
    return hosts.every(removed);
  }

  /** Asks the stage to end after the I/O in flight. */
  cancel(): void {
    this.#cancelled = true;
    this.#waiters.wake();
  }

  // ── What agents do and say ───────────────────────────────────────────────────────────────────────────────────────

  joined(member: Member): void {
    this.#guard(() => {
      if (this.#phase === 'running') this.#invite(member);
    });
  }

  returned(member: Member): void {
    this.#guard(() => {
      const participant = this.participants.get(participantKey(member));
      if (participant === undefined) return this.joined(member);
      this.log.event('info', 'agent-returned', `agent ${member.name} is back`);
      if (participant.state === 'preparing') member.send(prepareStage(this.plan, member, this.#shares()));
      if (participant.state === 'running') this.#start(participant);
      this.#leasing?.repeat(participant);
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
      if (knownDead)
        for (const ledger of this.earlier) ledger.lost(member.name, member.incarnation, { knownDead }, nowMs());
      if (participant === undefined) {
        // It took no part, but what is here may be its alone: nobody waits for it any more.
        this.ledger?.lost(member.name, member.incarnation, { knownDead }, nowMs());
        return;
      }
      if (participant.state !== 'gone') {
        participant.state = 'gone';
        this.log.event(
          'warning',
          'agent-lost',
          `agent ${member.name} is lost: ${knownDead ? 'its process is gone' : 'it is silent'}`,
        );
      }
      // Without certainty the leases run out by themselves.
      if (knownDead) this.#leasing?.died(participant);
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
    if (participant === undefined || !('stage' in message.value) || message.value.stage !== this.plan.wireStage) return;
    try {
      this.#take(participant, message);
    } catch (error) {
      // What the agent got wrong goes back to it; what we got wrong is not its concern, and ends the stage.
      if (asSeedstormError(error).code === 'SEEDSTORM_E_MESSAGE_INVALID') throw error;
      this.#fail(asSeedstormError(error));
    }
    this.#waiters.wake();
  }

  #take(participant: Participant, message: FromAgent): void {
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
        participant.fileWork = message.value.fileWork;
        this.#ended(participant);
        break;
    }
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
    await this.#waiters.until(() => nowMs() >= until || this.#over());
    if (this.plan.needsSettled) await settle(this.earlier, this.plan.name, this.#waiters, () => this.#over(), this.log);
  }

  async #prepare(): Promise<void> {
    this.#phase = 'preparing';
    this.#inviteAll();
    const usualMs = this.plan.dropCaches === '' ? prepareTimeoutMs : dropCachesTimeoutMs;
    const timeoutMs = this.plan.isCleanUp ? cleanUpPrepareTimeoutMs : usualMs;
    await this.#waiters.until(() => this.#in('preparing').length === 0 || this.#over(), timeoutMs);
    const late = this.#in('preparing');
    if (this.plan.isCleanUp && this.#in('ready').length > 0) {
      for (const participant of late) participant.state = 'gone';
    } else if (late.length > 0 && !this.#over()) {
      throw new SeedstormError({
        code: 'SEEDSTORM_E_STAGE_FAILED',
        what: `${late.map((p) => p.name).join(', ')} did not get ready for ${this.plan.name} within ${timeoutMs / 1000} s`,
        mend: 'look at the log of these agents',
      });
    }
    await this.#measureClocks();
    if (this.#in('ready').length === 0 && !this.#over()) {
      throw new SeedstormError({ code: 'SEEDSTORM_E_NO_AGENTS', what: `no agent is left for ${this.plan.name}` });
    }
  }

  /** Agents are idle now, so round trips are at their best. */
  async #measureClocks(): Promise<void> {
    await measureClocks(
      () => this.#in('ready').map(({ member }) => member),
      () => this.#over(),
    );
    for (const participant of this.#in('ready').filter(({ member }) => !member.clock.known)) {
      participant.state = 'gone';
      this.log.event(
        'warning',
        'agent-mute',
        `agent ${participant.name} does not tell its clock: ${this.plan.name} begins without it`,
      );
    }
  }

  async #work(): Promise<void> {
    const ready = this.#in('ready');
    const members = ready.map(({ member: { name: agent, incarnation, host } }) => ({ agent, incarnation, host }));
    const ledger = new Ledger(ledgerOptions(this.plan, this.members, members, this.writers, nowMs()));
    const leasing = new Leasing(this.plan, ledger, this.participants, this.log);
    this.ledger = ledger;
    this.#leasing = leasing;
    for (const participant of ready) leasing.join(participant);
    this.#missGoneWriters(ledger);
    this.startNs = nowNs() + startLeadNs;
    this.#phase = 'running';
    this.log.event('info', 'stage-started', `${this.plan.name}: ${ready.length} agents start together`);
    for (const participant of ready) {
      this.clockErrorNs = latest(this.clockErrorNs, participant.member.clock.errorNs);
      this.#start(participant);
    }
    leasing.begin(ready);
    // Who came while the others got ready takes part from now on.
    this.#inviteAll();
    await this.#waiters.until(() => ledger.isOver() || this.#over());
    const { lost } = ledger.coverage();
    // Nobody can do them, and the others are done: the run goes on, and its result says what it covers.
    if (lost > 0) {
      const what = `${lost} units of node-local data went with the agents that wrote them`;
      this.log.event('error', 'units-lost', what);
    }
  }

  /** Node-local data of agents that went before this stage began is lost; the ledger would wait for them to come. */
  #missGoneWriters(ledger: Ledger): void {
    if (!isLocal(this.plan.target)) return;
    const known = new Map(this.members.all().map((member) => [member.name, member]));
    for (const agent of new Set(this.writers.map((writer) => writer.agent))) {
      const member = known.get(agent);
      if (member?.alive !== true) ledger.lost(agent, member?.incarnation ?? 0, { knownDead: false }, nowMs());
    }
  }

  async #end(): Promise<void> {
    this.#phase = 'ending';
    for (const participant of this.participants.values()) {
      if (participant.state !== 'ended' && participant.state !== 'gone') this.#sayEnd(participant);
    }
    await this.#waiters.until(() => this.#in('ending').length === 0, endTimeoutMs);
    for (const { totals, namedFindings } of this.participants.values()) {
      if (totals.findings > namedFindings) this.findings.unnamed();
    }
    const hung = this.#in('ending').map((participant) => participant.name);
    if (hung.length > 0) {
      const what = `${hung.join(', ')} did not end ${this.plan.name} within ${endTimeoutMs / 1000} s: I/O, a sync or a close does not come back`;
      this.log.event('error', 'agent-hung', what);
      if (!this.#over()) this.#fail(new SeedstormError({ code: 'SEEDSTORM_E_STAGE_FAILED', what }));
    }
    // Nothing is handed over any more; what somebody may still have in flight is waited for by who needs it settled.
    this.ledger?.close(nowMs());
  }

  // ── Steps ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #inviteAll(): void {
    const shares = this.#shares();
    for (const member of this.members.working()) this.#invite(member, shares);
  }

  #invite(member: Member, shares = this.#shares()): void {
    if (!member.working || this.participants.has(participantKey(member))) return;
    this.participants.set(participantKey(member), new Participant(member));
    member.send(prepareStage(this.plan, member, shares));
  }

  #shares(): ReturnType<typeof hostShares> {
    return hostShares(this.members.working().map(({ hello }) => hello));
  }

  #prepared(participant: Participant, error: SeedstormError | undefined, notes: readonly string[]): void {
    this.#note(participant, notes);
    if (participant.state !== 'preparing') return;
    if (error !== undefined && this.plan.isCleanUp) {
      // Others clear up without it; its error is most likely why there is something to clear up.
      participant.state = 'gone';
      this.log.event('warning', 'agent-unfit', `agent ${participant.name} cannot clear up: ${error.what}`);
      return;
    }
    if (error !== undefined) {
      participant.state = 'ended';
      this.#fail(ofAgent(participant, error));
      return;
    }
    participant.state = 'ready';
    if (this.#leasing === undefined || this.#over()) return;
    // A late joiner: the others run already.
    this.#leasing.join(participant);
    this.log.event('info', 'agent-joined', `agent ${participant.name} joins ${this.plan.name}`);
    this.#start(participant);
    this.#leasing.supply(participant);
  }

  #start(participant: Participant): void {
    participant.state = 'running';
    const atAgentNs = participant.member.clock.toAgent(latest(this.startNs, nowNs()));
    participant.member.send({ $case: 'startStage', value: { stage: this.plan.wireStage, atAgentNs } });
  }

  #report(participant: Participant, report: Report): void {
    const gains = participant.totals.take(report, nowNs());
    if (gains !== undefined) {
      for (const gain of gains) this.latencyOfTick.add(gain);
      participant.tellTime();
      this.#note(participant, report.notes);
      for (const finding of report.findings) this.#finding(participant, finding);
      for (const lease of report.leases) {
        const error = this.#leasing?.report(participant, lease);
        if (error !== undefined) this.#fail(ofAgent(participant, error));
      }
    }
    // Acknowledged only now that it is in the ledger; again if it comes again.
    const { sequence } = participant.totals;
    participant.member.send({ $case: 'reportAck', value: { stage: this.plan.wireStage, sequence } });
    if (!this.#over()) this.#leasing?.supply(participant);
  }

  #finding(participant: Participant, found: Finding): void {
    participant.namedFindings += 1;
    const { kind, path, offset, unit, detail } = this.findings.add(found, participant.name, this.writers);
    const about = detail === '' ? '' : `: ${detail}`;
    this.log.event('error', 'finding', `${kind} in ${path} at offset ${offset} (unit ${unit})${about}`);
  }

  #sayEnd(participant: Participant, cancel = this.#over()): void {
    participant.state = 'ending';
    const value = { stage: this.plan.wireStage, cancel, removeRunFolder: this.plan.removesRunFolder };
    participant.member.send({ $case: 'endStage', value });
  }

  #ended(participant: Participant): void {
    if (participant.state === 'ended' || participant.state === 'gone') return;
    participant.state = 'ended';
    if (participant.member.state === 'leaving') {
      participant.state = 'gone';
      this.members.dismiss(participant.member);
    }
    this.#leasing?.ended(participant);
  }

  #tick(): void {
    if (this.#phase === 'running') {
      this.#leasing?.tick();
      this.#watchForAgents();
    }
    this.#waiters.wake();
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
    if (this.#phase === 'waiting' && this.plan.delayMs === 0) return;
    this.log.progress(stageProgress(this));
    this.latencyOfTick.reset();
    // Who may take what also changes by time alone, when agents fall silent.
    if (this.#phase === 'running' && !this.#over()) this.#leasing?.supplyAll();
  }

  #fail(error: SeedstormError): void {
    this.#failure ??= error;
    this.#waiters.wake();
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
    this.#waiters.wake();
  }
}

function ofAgent(participant: Participant, error: SeedstormError): SeedstormError {
  return new SeedstormError({ code: error.code, what: `agent ${participant.name}: ${error.what}`, mend: error.mend });
}
