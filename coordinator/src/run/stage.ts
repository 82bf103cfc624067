/**
 * One stage over seed ranges: its agents are leased ranges until the ledger has every unit, or the stage's time is over. Here
 * the ledgers of its passes and the agents meet; what of the units counts is decided by the ledgers alone. How agents come
 * together and part is the muster's.
 */
import { SeedstormError } from '@seedstorm/errors';
import type { Finding, IoError, Progress, RateShare, Report } from '@seedstorm/proto';
import { nowMs, nowNs, unixMs } from '../clock.js';
import { Ledger, type Range, type WriterRange } from '../ledger/index.js';
import type { Member, ToAgent } from '../membership/member.js';
import type { FromAgent, Members } from '../membership/members.js';
import { type Findings, indeterminate, type Reader, type Writer } from './findings.js';
import { Hanging } from './hanging.js';
import { IoErrors } from './io-errors.js';
import { causeOf, type LateWrite, type LateWrites } from './late-writes.js';
import { Leasing } from './leasing.js';
import type { MixedShards } from './mixed-history.js';
import { Muster, ofAgent, type Phase, type Shares } from './muster.js';
import { type Participant, participantKey } from './participant.js';
import { Passes } from './passes.js';
import { RateSharing } from './rate-sharing.js';
import { Rereading } from './rereading.js';
import type { RunLog } from './run-log.js';
import { settle } from './settling.js';
import { Stability } from './stability.js';
import { isLocal, ledgerOptions, prepareStage, readsBack, type StagePlan } from './stage-plan.js';
import { stageProgress } from './stage-result.js';
import type { Standing, Written } from './standing.js';

/** How long second looks at faults are waited for once everybody has ended. */
const rereadTimeoutMs = 10_000;
/** How long a stage goes on without any agent before it gives up. */
const noAgentsTimeoutMs = 30_000;
/** Kinds of errors at objects that are told as they come. */
const maxToldErrors = 20;

/** One stage of a run. */
export class Stage extends Muster<StagePlan> {
  passes: Passes | undefined;
  /** Whether it ended because its time was over, or it was stable. */
  ranItsTime = false;
  /** Units that went with the agents that wrote them. */
  lostUnits = 0;
  /** How its throughput varies, where it ends when that is stable. */
  readonly stability: Stability | undefined;
  /** Who has what this stage works on. */
  readonly writers: readonly WriterRange[];
  readonly ioErrors = new IoErrors();
  #toldErrors = 0;
  readonly #rereading: Rereading;
  readonly #hanging: Hanging;
  /** Faults of this stage that are kept in full. */
  readonly #kept: Finding[] = [];
  #noAgentsSinceMs: number | undefined;
  #leasing: Leasing | undefined;
  readonly #rates: RateSharing | undefined;
  /** What is known of the data that it works on. */
  readonly #written: Written | undefined;
  /** The ledgers of earlier writes and deletes: whether somebody may still be at it. */
  readonly #earlier: readonly Ledger[];
  /** What lost agents may still write. */
  readonly #lateWrites: LateWrites;

  constructor(
    plan: StagePlan,
    members: Members,
    log: RunLog,
    private readonly findings: Findings,
    /** What is on the target when it begins. */
    standing: Standing,
    /** What is known of shards, where single blocks were overwritten or are to be. */
    readonly mixed: MixedShards | undefined,
    /** Units of which nobody knows what they hold. */
    private readonly unknown: readonly Range[],
  ) {
    super(plan, members, log);
    this.#written = standing.written;
    this.#earlier = standing.mutations;
    this.#lateWrites = standing.late;
    this.writers = standing.holders(readsBack(plan));
    this.stability = plan.until && new Stability(plan.until.variation, plan.until.windowMs);
    this.#rereading = new Rereading(plan.wireStage, this.participants, isLocal(plan.target));
    this.#hanging = new Hanging(plan.label, log);
    if (plan.rate !== undefined) this.#rates = new RateSharing(plan.rate, plan.wireStage, this.participants);
  }

  override get phase(): Phase {
    return this.doing === 'running' && this.#leasing?.syncing === true ? 'syncing' : this.doing;
  }

  protected override invitation(member: Member, shares: Shares): ToAgent {
    return prepareStage(this.plan, member, shares, this.mixed?.overwrites);
  }

  /** Faults whose bytes no agent could keep. */
  get evidenceSkipped(): number {
    return [...this.participants.values()].reduce((sum, { totals }) => sum + totals.evidenceSkipped, 0);
  }

  protected override shareOf(participant: Participant): RateShare | undefined {
    return this.#rates?.shareOf(participant);
  }

  /** The ledger of the first pass: the only one of a stage that changes what is on the target. */
  get ledger(): Ledger | undefined {
    return this.passes?.first;
  }

  /** Whether all was done that was to be done: every unit, or what went into its time. */
  override isComplete(): boolean {
    return this.ranItsTime || (this.passes?.isAccountedFor() ?? false);
  }

  protected override unitsLost(): number {
    return this.lostUnits;
  }

  /** Whether the run's own folder was removed; any agent can where all see the same, else one on each host must. */
  get folderRemoved(): boolean {
    const all = this.in('ended');
    const removed = (host?: string): boolean =>
      all.some((each) => each.folderRemoved && (host === undefined || each.member.host === host));
    if (!isLocal(this.plan.target)) return removed();
    const hosts = [...this.participants.values()].map(({ member: { host } }) => host);
    return hosts.every(removed);
  }

  protected override standing(): Progress {
    return stageProgress(this);
  }

  // ── What agents do and say ───────────────────────────────────────────────────────────────────────────────────────

  override joined(member: Member): void {
    this.guard(() => {
      if (this.doing === 'running') this.invite(member);
    });
  }

  protected override repeat(participant: Participant): void {
    this.#leasing?.repeat(participant);
  }

  override lost(member: Member, knownDead: boolean): void {
    this.guard(() => {
      if (knownDead)
        for (const ledger of this.#earlier) ledger.lost(member.name, member.incarnation, { knownDead }, nowMs());
      // One that took no part may alone have what is here: nobody waits for it any more.
      if (!this.participants.has(participantKey(member)))
        this.passes?.lost(member.name, member.incarnation, { knownDead }, nowMs());
    });
    super.lost(member, knownDead);
  }

  protected override died(participant: Participant): void {
    this.#leasing?.died(participant);
  }

  override heartbeat(member: Member): void {
    this.passes?.renew(member.name, member.incarnation, nowMs());
  }

  protected override gotReady(participant: Participant): void {
    if (this.#leasing === undefined || this.over()) return;
    // A late joiner: the others run already.
    this.#leasing.join(participant);
    this.log.event('info', 'agent-joined', `agent ${participant.name} joins ${this.plan.label}`);
    this.start(participant);
    this.#leasing.supply(participant);
  }

  protected override reported(participant: Participant, report: Report): void {
    for (const finding of report.findings) this.#finding(participant, finding);
    this.#tellErrors(this.ioErrors.take(participant.member, report.errors));
    const excess = this.ioErrors.excess(this.plan.errors);
    if (excess !== undefined) this.fail(excess);
    for (const lease of report.leases) {
      const error = this.#leasing?.report(participant, lease);
      if (error !== undefined) this.fail(ofAgent(participant, error));
    }
  }

  protected override acknowledged(participant: Participant): void {
    if (!this.over()) this.#leasing?.supply(participant);
  }

  protected override otherwise(participant: Participant, message: FromAgent): void {
    if (message.$case === 'placeReread') this.#rereading.answered(participant, message.value);
  }

  protected override parted(participant: Participant): void {
    this.#leasing?.ended(participant);
  }

  #finding(participant: Participant, found: Finding): void {
    const { name, member } = participant;
    const readUnixMs = unixMs(Number(member.clock.toCoordinator(found.readNs)) / 1e6);
    const reader = { name, host: member.host, readUnixMs };
    if (found.kind === indeterminate) {
      this.#indeterminate(reader, found);
      return;
    }
    participant.namedFindings += 1;
    const { finding, kept } = this.findings.add(found, reader, this.#writerOf(found));
    const { kind, path, offset, unit, detail, verdict } = finding;
    const about = detail === '' ? '' : `: ${detail}`;
    this.log.event('error', 'finding', `${kind} in ${path} at offset ${offset} (unit ${unit})${about}; ${verdict}`);
    if (!kept) return;
    this.#kept.push(finding);
    // Memory is nobody else's to look at.
    if (this.plan.target.kind !== 'memory') this.#rereading.ask(finding);
  }

  /** An old generation that a lost agent may have left behind. */
  #indeterminate(reader: Reader, found: Finding): void {
    const cause = causeOf(this.#late(), found);
    if (cause === undefined) {
      const what = `agent ${reader.name} tells of a late write to unit ${found.unit}, which no lost agent had`;
      throw new SeedstormError({ code: 'SEEDSTORM_E_MESSAGE_INVALID', what });
    }
    const { path, offset, unit, detail } = this.findings.addIndeterminate(found, reader, this.#writerOf(found), cause);
    this.log.event('warning', indeterminate, `indeterminate in ${path} at offset ${offset} (unit ${unit}): ${detail}`);
  }

  /** What lost agents may have written late, for a stage that compares what it reads. */
  #late(): readonly LateWrite[] {
    const { name, generation } = this.plan;
    return name === 'verify' || name === 'mixed' ? this.#lateWrites.expecting(generation) : [];
  }

  #writerOf({ unit }: Finding): Writer | undefined {
    const done = this.#written?.doneBy(Number(unit));
    return done && { agent: done.agent, afterUnixMs: unixMs(done.afterMs), beforeUnixMs: unixMs(done.beforeMs) };
  }

  /** Errors that pass are told as they come; one that does not ends the stage, which tells it. */
  #tellErrors(rows: readonly IoError[]): void {
    if (this.plan.errors.inAll === 0) return;
    for (const { agent, kind, first } of rows.slice(0, maxToldErrors - this.#toldErrors)) {
      this.#toldErrors += 1;
      const more = this.#toldErrors === maxToldErrors ? '; further ones are in the result' : '';
      this.log.event(
        'warning',
        'io-error',
        `agent ${agent}: ${kind} error that the plan lets pass: ${first?.what ?? ''}${more}`,
      );
    }
  }

  // ── The phases ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** The plan's delay, and until nobody can still be writing what this stage removes or writes again. */
  protected override async wait(): Promise<void> {
    await super.wait();
    if (this.plan.needsSettled) await settle(this.#earlier, this.plan.label, this.waiters, () => this.over(), this.log);
  }

  protected override async work(): Promise<void> {
    const ready = this.in('ready');
    const members = ready.map(({ member: { name: agent, incarnation, host } }) => ({ agent, incarnation, host }));
    const leftOut = [...(this.#written?.unfinished() ?? []), ...this.unknown];
    const pass = (): Ledger => {
      // What failed in a mixed pass is not mixed again.
      const without = this.plan.isExclusive ? [...leftOut, ...(this.passes?.failedRanges() ?? [])] : leftOut;
      return new Ledger(ledgerOptions(this.plan, this.members, members, this.writers, nowMs(), without));
    };
    const readBack = readsBack(this.plan) ? this.writers : [];
    const passes = new Passes(pass(), this.plan.wraps ? pass : undefined, readBack, this.plan.isExclusive);
    const leasing = new Leasing(this.plan, passes, this.participants, this.log, this.mixed, () => this.#late());
    if (this.plan.isExclusive) this.#lateWrites.mixed(passes, this.plan.generation, this.plan.sync !== 'never');
    this.passes = passes;
    this.#leasing = leasing;
    for (const participant of ready) leasing.join(participant);
    this.#missGoneWriters(passes);
    this.startTogether(ready, this.plan);
    leasing.begin(ready);
    // Who came while the others got ready takes part from now on.
    this.inviteAll();
    await this.waiters.until(() => passes.isOver() || this.timeIsOver || this.over());
    this.ranItsTime = this.timeIsOver && !this.over();
    if (!this.over()) this.#tellOfTime(passes);
    // Before agents part: what is then left in a pass that time has ended was not lost with them.
    const { lost } = passes.coverage();
    this.lostUnits = lost;
    // Nobody can do them, and the others are done: the run goes on, and its result says what it covers.
    if (lost > 0) {
      const what = `${lost} units of node-local data went with the agents that wrote them`;
      this.log.event('error', 'units-lost', what);
    }
  }

  /** A stage by time that came to the end of its data measured less than it was asked to. */
  #tellOfTime(passes: Passes): void {
    const { durationMs, label } = this.plan;
    if (durationMs === undefined || this.ranItsTime || !passes.isOver()) return;
    const seconds = (Number(nowNs() - this.startNs) / 1e9).toFixed(1);
    this.remark(
      `${label} was through with all data after ${seconds} s of ${durationMs / 1000} s: data.size is too small for its duration`,
    );
  }

  /** Node-local data of agents that went before this stage began is lost; the ledger would wait for them to come. */
  #missGoneWriters(passes: Passes): void {
    if (!isLocal(this.plan.target)) return;
    const known = new Map(this.members.all().map((member) => [member.name, member]));
    for (const agent of new Set(this.writers.map((writer) => writer.agent))) {
      const member = known.get(agent);
      if (member?.alive !== true) passes.lost(agent, member?.incarnation ?? 0, { knownDead: false }, nowMs());
    }
  }

  protected override async end(): Promise<void> {
    await super.end();
    for (const { totals, namedFindings } of this.participants.values()) {
      if (totals.findings > namedFindings) this.findings.unnamed();
    }
    await this.#lookAgain();
    // Nothing is handed over any more; what somebody may still have in flight is waited for by who needs it settled.
    this.passes?.close(nowMs());
  }

  /** Waits for the second looks, and tells those who keep the bytes of faults what is known of them. */
  async #lookAgain(): Promise<void> {
    await this.waiters.until(() => this.#rereading.pending() === 0, rereadTimeoutMs);
    this.#rereading.giveUp();
    for (const finding of this.#kept.filter(({ evidence }) => evidence !== '')) {
      const keeper = [...this.participants.values()].find(
        ({ name, member }) => name === finding.reader && member.working,
      );
      keeper?.member.send({ $case: 'findingKnown', value: { stage: this.plan.wireStage, finding } });
    }
  }

  protected override tick(): void {
    if (this.doing !== 'running') return;
    this.#leasing?.tick();
    this.#rates?.tick();
    this.#watchStability();
    this.#watchForHanging();
    this.#watchForAgents();
  }

  /** Ends the stage as soon as it is stable. */
  #watchStability(): void {
    const now = nowNs();
    if (this.stability === undefined || this.timeIsOver) return;
    const rate = (): number => this.in('running').reduce((sum, { totals }) => sum + totals.bytesPerSecond(now), 0);
    if (!this.stability.look(now, this.countsFromNs, rate)) return;
    this.log.event('info', 'stable', `${this.plan.label} is stable: ${this.stability.text}`);
    this.moveEnd(now);
  }

  #watchForHanging(): void {
    for (const participant of this.in('running')) {
      const began = participant.startedNs !== undefined || nowNs() > this.startNs;
      const busy = began && (this.passes?.leasesOf(participant.name).length ?? 0) > 0;
      this.#hanging.look(participant, busy && participant.member.state === 'present', nowMs());
    }
  }

  #watchForAgents(): void {
    if (this.in('running').length > 0 || this.in('preparing').length > 0) {
      this.#noAgentsSinceMs = undefined;
      return;
    }
    this.#noAgentsSinceMs ??= nowMs();
    if (nowMs() - this.#noAgentsSinceMs < noAgentsTimeoutMs) return;
    this.fail(
      new SeedstormError({ code: 'SEEDSTORM_E_AGENT_LOST', what: `no agent is left to end ${this.plan.label}` }),
    );
  }

  protected override tellProgress(): void {
    super.tellProgress();
    // Who may take what also changes by time alone, when agents fall silent.
    if (this.doing === 'running' && !this.over()) this.#leasing?.supplyAll();
  }
}
