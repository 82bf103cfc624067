/**
 * The agents of one stage, whatever the stage does: invited, got ready, their clocks measured, started at one instant,
 * ended. It must not know what they do in between, nor what of it counts: that is for its kinds, Stage and NetworkStage.
 */
import { asSeedstormError, SeedstormError } from '@seedstorm/errors';
import {
  fromErrorDetail,
  type Progress,
  type RateShare,
  type Report,
  type StageEnded,
  type StagePrepared,
} from '@seedstorm/proto';
import { nowMs, nowNs } from '../clock.js';
import { hostShares } from '../membership/host-shares.js';
import { measureClocks } from '../membership/measure-clocks.js';
import type { Member, ToAgent } from '../membership/member.js';
import type { FromAgent, Members, MembersListener } from '../membership/members.js';
import { ClassTimes } from './class-totals.js';
import { LatencyTotals } from './latency-totals.js';
import { earliest, latest } from './numbers.js';
import { Participant, participantKey } from './participant.js';
import type { RunLog } from './run-log.js';
import { SecondTotals } from './second-totals.js';
import { Waiters } from './waiters.js';

/**
 * How far ahead of now the common start is set: it must have reached every agent by then. How well a clock is known tells
 * how long a message takes at best; one that comes late shows in the skew.
 */
const startLeadNs = { least: 20_000_000n, most: 200_000_000n, perClockError: 100n };
const prepareTimeoutMs = 60_000;
/** Where page caches are dropped, all that is dirty on the hosts is written back first. */
const dropCachesTimeoutMs = 600_000;
const cleanUpPrepareTimeoutMs = 10_000;
const endTimeoutMs = 60_000;
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

/** What every stage needs of the plan. */
export interface MusterPlan {
  /** Its index in the plan. */
  readonly index: number;
  /** What it is called on the wire: unlike the index, no other stage of this coordinator has it. */
  readonly wireStage: number;
  /** What it does. */
  readonly name: string;
  /** What events and progress call it: its name, and its round where there are several. */
  readonly label: string;
  /** The agents that take part, by name; undefined: all. */
  readonly agents: ReadonlySet<string> | undefined;
  readonly delayMs: number;
  /** Whether it clears up after a run that failed or was stopped: what agents can do without one that hangs. */
  readonly isCleanUp: boolean;
  /** Whether the run's own folder is to be removed when it is done. */
  readonly removesRunFolder: boolean;
  /** true, auto or nothing: whether agents empty their page caches first. */
  readonly dropCaches: string;
}

/** What of a stage goes by time. */
export interface StageTimes {
  /** What begins before this does not count; nothing without it. */
  readonly rampMs?: number | undefined;
  /** How long it goes on at most; without it until all is done. */
  readonly durationMs?: number | undefined;
}

/** Which share of its host's cores each agent gets. */
export type Shares = ReturnType<typeof hostShares>;

/** The agents of one stage. */
export abstract class Muster<Plan extends MusterPlan> implements MembersListener {
  readonly participants = new Map<string, Participant>();
  /** Latency since the last progress, all agents. */
  readonly latencyOfTick = new LatencyTotals();
  /** What was done second by second, all agents. */
  readonly seconds = new SecondTotals();
  /** Times of each class of operations, all agents. */
  readonly classTimes = new ClassTimes();
  /** The common start, on the coordinator's clock. */
  startNs = 0n;
  /** When the ramp is over, on the coordinator's clock: what begins before does not count. */
  countsFromNs = 0n;
  /** When the stage's time is over, on the coordinator's clock; undefined: when all is done. */
  overNs: bigint | undefined;
  /** The largest error bound of a clock that the start relied on. */
  clockErrorNs = 0n;
  readonly notes: string[] = [];
  protected readonly waiters = new Waiters();
  protected doing: Phase = 'waiting';
  #failure: SeedstormError | undefined;
  #cancelled = false;

  constructor(
    readonly plan: Plan,
    protected readonly members: Members,
    protected readonly log: RunLog,
  ) {}

  // ── What a kind of stage adds ────────────────────────────────────────────────────────────────────────────────────

  /** What gets an agent ready. */
  protected abstract invitation(member: Member, shares: Shares): ToAgent;
  /** From when all are ready until no more is to be done; it starts them. */
  protected abstract work(): Promise<void>;
  /** Whether all was done. */
  abstract isComplete(): boolean;
  /** Units that went with the agents that wrote them. */
  protected unitsLost(): number {
    return 0;
  }
  /** Where it stands. */
  protected abstract standing(): Progress;
  /** Between getting ready and the measuring of clocks. */
  protected async introduce(): Promise<void> {}
  /** An agent is ready. */
  protected gotReady(_participant: Participant, _message: StagePrepared): void {}
  /** A report was taken into the totals; it is acknowledged next. */
  protected reported(_participant: Participant, _report: Report): void {}
  /** A report was acknowledged. */
  protected acknowledged(_participant: Participant): void {}
  /** An agent has ended its part. */
  protected parted(_participant: Participant, _message: StageEnded): void {}
  /** An agent is certainly dead. */
  protected died(_participant: Participant): void {}
  /** An agent is back on a new stream, and may have missed what was said. */
  protected repeat(_participant: Participant): void {}
  /** Agents did not end their part in time. */
  protected hung(_names: readonly string[], what: string): void {
    if (!this.over()) this.fail(new SeedstormError({ code: 'SEEDSTORM_E_STAGE_FAILED', what }));
  }
  /** Something that is neither preparing, nor a report, nor an end. */
  protected otherwise(_participant: Participant, _message: FromAgent): void {}
  /** An agent's share of the stage's rate, where it has one. */
  protected shareOf(_participant: Participant): RateShare | undefined {
    return undefined;
  }
  /** Ten times a second. */
  protected tick(): void {}

  // ── From the first to the last ───────────────────────────────────────────────────────────────────────────────────

  /** Runs the stage to its end; it never throws: what went wrong is in the outcome. */
  async run(): Promise<StageOutcome> {
    const stopListening = this.members.listen(this);
    const ticker = setInterval(() => this.guard(() => this.tick()), tickMs);
    const progress = setInterval(() => this.guard(() => this.tellProgress()), progressMs);
    try {
      await this.wait();
      if (!this.over()) await this.#prepare();
      if (!this.over()) await this.work();
      await this.end();
    } catch (error) {
      this.fail(asSeedstormError(error));
      await this.end();
    } finally {
      clearInterval(ticker);
      clearInterval(progress);
      stopListening();
    }
    this.tellProgress();
    return { complete: this.isComplete(), lost: this.unitsLost(), error: this.#failure };
  }

  /** What it is doing. */
  get phase(): Phase {
    return this.doing;
  }

  /** Asks the stage to end after the I/O in flight. */
  cancel(): void {
    this.#cancelled = true;
    this.waiters.wake();
  }

  // ── What agents do and say ───────────────────────────────────────────────────────────────────────────────────────

  joined(_member: Member): void {}

  returned(member: Member): void {
    this.guard(() => {
      const participant = this.participants.get(participantKey(member));
      if (participant === undefined) return this.joined(member);
      this.log.event('info', 'agent-returned', `agent ${member.name} is back`);
      if (participant.state === 'preparing') member.send(this.invitation(member, this.#shares()));
      if (participant.state === 'running') this.start(participant);
      this.repeat(participant);
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
    this.guard(() => {
      const participant = this.participants.get(participantKey(member));
      if (participant === undefined) return;
      if (participant.state !== 'gone') {
        participant.state = 'gone';
        this.log.event(
          'warning',
          'agent-lost',
          `agent ${member.name} is lost: ${knownDead ? 'its process is gone' : 'it is silent'}`,
        );
      }
      // Without certainty the leases run out by themselves.
      if (knownDead) this.died(participant);
    });
  }

  leaving(member: Member): boolean {
    const participant = this.participants.get(participantKey(member));
    if (participant === undefined || participant.state === 'gone' || participant.state === 'ended') return false;
    this.log.event('info', 'agent-leaving', `agent ${member.name} is leaving`);
    this.guard(() => this.#sayEnd(participant, true));
    return true;
  }

  heartbeat(_member: Member): void {}

  said(member: Member, message: FromAgent): void {
    const participant = this.participants.get(participantKey(member));
    if (participant === undefined || !('stage' in message.value) || message.value.stage !== this.plan.wireStage) return;
    try {
      this.#take(participant, message);
    } catch (error) {
      // What the agent got wrong goes back to it; what we got wrong is not its concern, and ends the stage.
      if (asSeedstormError(error).code === 'SEEDSTORM_E_MESSAGE_INVALID') throw error;
      this.fail(asSeedstormError(error));
    }
    this.waiters.wake();
  }

  #take(participant: Participant, message: FromAgent): void {
    switch (message.$case) {
      case 'stagePrepared':
        this.#prepared(participant, message.value);
        break;
      case 'report':
        this.#report(participant, message.value);
        break;
      case 'stageEnded':
        if (message.value.error !== undefined && !this.#cancelled)
          this.fail(ofAgent(participant, fromErrorDetail(message.value.error)));
        participant.closeNs = message.value.closeNs;
        participant.folderRemoved = message.value.runFolderRemoved;
        participant.fileWork = message.value.fileWork;
        this.#ended(participant, message.value);
        break;
      default:
        this.otherwise(participant, message);
    }
  }

  // ── The phases ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** The plan's delay. */
  protected async wait(): Promise<void> {
    const until = nowMs() + this.plan.delayMs;
    if (this.plan.delayMs > 0) {
      this.log.event(
        'info',
        'stage-waiting',
        `${this.plan.label} begins in ${this.plan.delayMs / 1000} s, as the plan says`,
      );
    }
    await this.waiters.until(() => nowMs() >= until || this.over());
  }

  async #prepare(): Promise<void> {
    this.doing = 'preparing';
    this.inviteAll();
    const usualMs = this.plan.dropCaches === '' ? prepareTimeoutMs : dropCachesTimeoutMs;
    const timeoutMs = this.plan.isCleanUp ? cleanUpPrepareTimeoutMs : usualMs;
    await this.waiters.until(() => this.in('preparing').length === 0 || this.over(), timeoutMs);
    const late = this.in('preparing');
    if (this.plan.isCleanUp && this.in('ready').length > 0) {
      for (const participant of late) participant.state = 'gone';
    } else if (late.length > 0 && !this.over()) {
      throw new SeedstormError({
        code: 'SEEDSTORM_E_STAGE_FAILED',
        what: `${late.map((p) => p.name).join(', ')} did not get ready for ${this.plan.label} within ${timeoutMs / 1000} s`,
        mend: 'look at the log of these agents',
      });
    }
    if (!this.over()) await this.introduce();
    await this.#measureClocks();
    if (this.in('ready').length === 0 && !this.over()) {
      throw new SeedstormError({ code: 'SEEDSTORM_E_NO_AGENTS', what: `no agent is left for ${this.plan.label}` });
    }
  }

  /** Agents are idle now, so round trips are at their best. */
  async #measureClocks(): Promise<void> {
    await measureClocks(
      () => this.in('ready').map(({ member }) => member),
      () => this.over(),
    );
    for (const participant of this.in('ready').filter(({ member }) => !member.clock.known)) {
      participant.state = 'gone';
      this.log.event(
        'warning',
        'agent-mute',
        `agent ${participant.name} does not tell its clock: ${this.plan.label} begins without it`,
      );
    }
  }

  /** Tells all who are ready when to begin, at one instant, when the ramp is over, and how long it lasts at most. */
  protected startTogether(ready: readonly Participant[], { rampMs = 0, durationMs }: StageTimes = {}): void {
    this.clockErrorNs = latest(0n, ...ready.map(({ member }) => member.clock.errorNs));
    const { least, most, perClockError } = startLeadNs;
    this.startNs = nowNs() + earliest(most, least + perClockError * this.clockErrorNs);
    this.countsFromNs = this.startNs + BigInt(rampMs) * 1_000_000n;
    this.overNs = durationMs === undefined ? undefined : this.startNs + BigInt(durationMs) * 1_000_000n;
    this.doing = 'running';
    this.log.event('info', 'stage-started', `${this.plan.label}: ${ready.length} agents start together`);
    for (const participant of ready) this.start(participant);
  }

  /** Tells all that no more comes, and waits until they have closed everything. */
  protected async end(timeoutMs = endTimeoutMs): Promise<void> {
    this.doing = 'ending';
    for (const participant of this.participants.values()) {
      if (participant.state !== 'ended' && participant.state !== 'gone') this.#sayEnd(participant);
    }
    await this.waiters.until(() => this.in('ending').length === 0, timeoutMs);
    const late = this.in('ending').map((participant) => participant.name);
    if (late.length === 0) return;
    const what = `${late.join(', ')} did not end ${this.plan.label} within ${timeoutMs / 1000} s: I/O, a sync or a close does not come back`;
    this.log.event('error', 'agent-hung', what);
    this.hung(late, what);
  }

  // ── Steps ────────────────────────────────────────────────────────────────────────────────────────────────────────

  protected inviteAll(): void {
    const shares = this.#shares();
    for (const member of this.members.working()) this.invite(member, shares);
  }

  protected invite(member: Member, shares = this.#shares()): void {
    if (!member.working || this.participants.has(participantKey(member))) return;
    if (this.plan.agents?.has(member.name) === false) return;
    this.participants.set(participantKey(member), new Participant(member));
    member.send(this.invitation(member, shares));
  }

  #shares(): Shares {
    return hostShares(this.members.working().map(({ hello }) => hello));
  }

  #prepared(participant: Participant, message: StagePrepared): void {
    this.note(participant, message.notes);
    if (participant.state !== 'preparing') return;
    if (message.error !== undefined && this.plan.isCleanUp) {
      // Others clear up without it; its error is most likely why there is something to clear up.
      participant.state = 'gone';
      this.log.event('warning', 'agent-unfit', `agent ${participant.name} cannot clear up: ${message.error.what}`);
      return;
    }
    if (message.error !== undefined) {
      participant.state = 'ended';
      this.fail(ofAgent(participant, fromErrorDetail(message.error)));
      return;
    }
    participant.state = 'ready';
    participant.lanes = message.lanes;
    participant.memoryBytes = message.memoryBytes;
    participant.generator = message.generator;
    this.gotReady(participant, message);
  }

  protected start(participant: Participant): void {
    participant.state = 'running';
    const { clock } = participant.member;
    const hasRamp = this.countsFromNs > this.startNs;
    const value = {
      stage: this.plan.wireStage,
      atAgentNs: clock.toAgent(latest(this.startNs, nowNs())),
      commonStartAgentNs: clock.toAgent(this.startNs),
      overAtAgentNs: this.overNs === undefined ? 0n : clock.toAgent(this.overNs),
      countFromAgentNs: hasRamp ? clock.toAgent(this.countsFromNs) : 0n,
      share: this.shareOf(participant),
    };
    participant.member.send({ $case: 'startStage', value });
  }

  /** The stage's time is over at this instant of the coordinator's clock. */
  protected moveEnd(overNs: bigint): void {
    this.overNs = overNs;
    for (const { member } of this.in('running')) {
      const value = { stage: this.plan.wireStage, overAtAgentNs: member.clock.toAgent(overNs) };
      member.send({ $case: 'moveStageEnd', value });
    }
  }

  /** Whether the stage goes by time, and that is over. */
  protected get timeIsOver(): boolean {
    return this.overNs !== undefined && nowNs() >= this.overNs;
  }

  #report(participant: Participant, report: Report): void {
    const isNext = report.sequence === participant.totals.sequence + 1n;
    if (isNext) this.seconds.check(participant, report.seconds, Number(nowNs() - this.startNs) / 1e9);
    const gains = participant.totals.take(report, nowNs());
    if (gains !== undefined) {
      for (const gain of gains) {
        this.classTimes.add(gain);
        if (!gain.part) this.latencyOfTick.add(gain.service);
      }
      this.seconds.add(participant, report.seconds);
      participant.tellTime();
      this.note(participant, report.notes);
      this.reported(participant, report);
    }
    // Acknowledged only now that it counts; again if it comes again.
    const { sequence } = participant.totals;
    participant.member.send({ $case: 'reportAck', value: { stage: this.plan.wireStage, sequence } });
    this.acknowledged(participant);
  }

  #sayEnd(participant: Participant, cancel = this.over()): void {
    // One that was never told to begin has nothing to come to the end of, and would wait for the start.
    const hasBegun = participant.state !== 'preparing' && participant.state !== 'ready';
    participant.state = 'ending';
    const { wireStage: stage, removesRunFolder: removeRunFolder } = this.plan;
    const value = { stage, cancel: cancel || !hasBegun, removeRunFolder };
    participant.member.send({ $case: 'endStage', value });
  }

  #ended(participant: Participant, message: StageEnded): void {
    if (participant.state === 'ended' || participant.state === 'gone') return;
    participant.state = 'ended';
    if (participant.member.state === 'leaving') {
      participant.state = 'gone';
      this.members.dismiss(participant.member);
    }
    this.parted(participant, message);
  }

  protected note(participant: Participant, notes: readonly string[]): void {
    for (const note of notes) this.remark(note, `${participant.name}: `);
  }

  /** Something to be known, told once; `before` says in the log who said it. */
  protected remark(note: string, before = ''): void {
    if (this.notes.includes(note) || this.notes.length >= maxNotes) return;
    this.notes.push(note);
    this.log.event('warning', 'note', before + note);
  }

  protected tellProgress(): void {
    if (this.doing === 'waiting' && this.plan.delayMs === 0) return;
    this.log.progress(this.standing());
    this.latencyOfTick.reset();
  }

  protected fail(error: SeedstormError): void {
    this.#failure ??= error;
    this.waiters.wake();
  }

  protected over(): boolean {
    return this.#cancelled || this.#failure !== undefined;
  }

  protected in(state: Participant['state']): Participant[] {
    return [...this.participants.values()].filter((participant) => participant.state === state);
  }

  /** What a timer or a neighbour calls must not throw at it: the stage fails instead. */
  protected guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.fail(asSeedstormError(error));
    }
    this.waiters.wake();
  }
}

/** An agent's error, with its name. */
export function ofAgent(participant: Participant, error: SeedstormError): SeedstormError {
  return new SeedstormError({ code: error.code, what: `agent ${participant.name}: ${error.what}`, mend: error.mend });
}
