/**
 * One run: the plan's stages in order, and what is left behind at the end. A run that fails or is stopped removes what
 * it wrote; objects with faults are always spared, as evidence.
 */
import { asSeedstormError, SeedstormError } from '@seedstorm/errors';
import { type RunResult, type StageResult, toErrorDetail } from '@seedstorm/proto';
import type { Range } from '../ledger/index.js';
import type { Member } from '../membership/member.js';
import { type Members, usualLeaseMs } from '../membership/members.js';
import { dataRunOf, type ResolvedDataStage, type ResolvedNetworkStage, type ResolvedPlan } from '../plan/index.js';
import { type Recorded, RunRecorder } from '../record/run-recorder.js';
import { Findings } from './findings.js';
import { gather, preflight } from './gathering.js';
import { MixedHistory, type MixedLayer } from './mixed-history.js';
import type { StageOutcome } from './muster.js';
import { networkResult } from './network-result.js';
import { NetworkStage, networkPlan } from './network-stage.js';
import { sweepResult } from './points.js';
import { revisit } from './revisit.js';
import { noPlace, type Place, type Round, roundsOf, roundText } from './rounds.js';
import type { RunLog } from './run-log.js';
import { spreadsOf } from './spread.js';
import { Stage } from './stage.js';
import { changesNames, makesData, stagePlan } from './stage-plan.js';
import { stageResult } from './stage-result.js';
import { Standing } from './standing.js';
import { TargetLock } from './target-lock.js';

/** What the operator asked for beside the plan. */
export interface RunOptions {
  /** Agents to wait for. */
  readonly agents: number;
  /** How long to wait for them, in ms; 0: as long as it takes. */
  readonly agentsTimeoutMs: number;
  /** Leave the data where it is, whatever happens. */
  readonly keep: boolean;
}

/** Objects that were never made and that a list is told of. */
const maxNeverMade = 100_000;

/** One run. */
export class Run {
  readonly findings = new Findings();
  readonly startedUnixMs = Date.now();
  readonly #results: StageResult[] = [];
  readonly #leftBehind = new Set<string>();
  readonly #notes: string[];
  readonly #seen = new Set<string>();
  readonly #lost = new Set<string>();
  /** What is on the target. */
  readonly #standing = new Standing();
  #stage: Stage | NetworkStage | undefined;
  /** The stage over seed ranges that began last. */
  #begun: ResolvedDataStage | undefined;
  readonly #lock: TargetLock;
  /** What mixed stages did to the data; absent where the plan has none. */
  readonly #mixed: MixedHistory | undefined;
  /** Units of node-local data that some stage could not reach any more. */
  #lostUnits = 0;
  #cancelled = false;
  #cleaning = false;
  /** Whether there were I/O errors, also such as pass. */
  #hasErrors = false;
  #evidenceSkipped = 0;
  /** Objects that were left on the target for their faults. */
  #spared = 0;
  readonly #recorder: RunRecorder;
  /** What agents say that the block device is known by. */
  #identity = '';
  /** Hosts of an earlier run's node-local data that no agent is on. */
  #absentHosts: readonly string[] = [];

  constructor(
    readonly id: string,
    readonly plan: ResolvedPlan,
    readonly options: RunOptions,
    private readonly members: Members,
    readonly log: RunLog,
    /** The host that the coordinator listens on. */
    private readonly listenHost: string,
    private readonly recorded: Recorded,
  ) {
    this.#notes = [...plan.notes];
    this.#recorder = new RunRecorder(recorded, this.startedUnixMs, ({ code, what }) => {
      log.event('warning', 'not-recorded', `${code}: ${what}`);
      this.#note(`${what}: the data cannot be verified by the run's id later`);
    });
    this.#lock = new TargetLock(members, plan, log);
    const { shardUnits, layout } = plan;
    this.#mixed = shardUnits === undefined ? undefined : new MixedHistory({ ...layout, shardUnits });
  }

  /** The run's own folders, or the beginning of its keys, where there are any. */
  get folders(): readonly string[] {
    const { target } = this.plan;
    if (target.kind === 's3')
      return [`s3://${[target.bucket, target.prefix, dataRunOf(this.plan)].filter(Boolean).join('/')}/`];
    return target.kind === 'file' ? target.runFolders : [];
  }

  /** What the run writes to, where that outlives it: its own folders, or a device. */
  get #places(): readonly string[] {
    const { target } = this.plan;
    return target.kind === 'block' ? [target.device] : this.folders;
  }

  /** Runs to the end; it never throws: what went wrong is in the result, which the log has too. */
  async run(): Promise<RunResult> {
    const stopListening = this.members.listen(this.#census());
    this.members.leaseMs = this.plan.leaseMs;
    for (const member of this.members.working()) this.#seen.add(member.name);
    let failure: SeedstormError | undefined;
    try {
      await gather(this.members, this.options, () => this.#cancelled, this.log);
      if (!this.#cancelled) {
        this.#identity = await preflight(this.members, this.plan, this.id, () => this.#cancelled);
      }
      if (!this.#cancelled) await this.#lock.take(() => this.#cancelled);
      if (!this.#cancelled) this.#revisit();
      failure = await this.#runStages();
      failure ??= this.#lossOfUnits();
    } catch (error) {
      failure = asSeedstormError(error);
    }
    try {
      await this.#cleanUp(failure);
    } catch (error) {
      failure ??= asSeedstormError(error);
      this.#leave();
    }
    await this.#lock.release();
    stopListening();
    this.members.leaseMs = usualLeaseMs;
    const result = this.#result(failure);
    this.log.end(result);
    return result;
  }

  /** Stops the run gracefully. */
  cancel(): void {
    // Clearing up is what a stop would do.
    if (this.#cancelled || this.#cleaning) return;
    this.#cancelled = true;
    const kept = this.options.keep ? 'kept' : 'removed';
    this.log.event('warning', 'cancelled', `the run is being stopped; what it wrote is ${kept}`);
    this.#stage?.cancel();
  }

  /** The data of an earlier run is there, where the plan is about one. */
  #revisit(): void {
    const { earlier } = this.recorded;
    if (earlier === undefined) return;
    const { notes, absentHosts } = revisit(earlier, this.members.working(), this.#identity, this.#standing);
    for (const note of notes) this.log.event('warning', 'note', note);
    this.#notes.push(...notes);
    this.#absentHosts = absentHosts;
  }

  async #runStages(): Promise<SeedstormError | undefined> {
    for (const round of roundsOf(this.plan)) {
      if (this.#cancelled) return undefined;
      const error = await this.#runRound(round);
      if (error !== undefined) return error;
    }
    return undefined;
  }

  /** Goes through the stages once. */
  async #runRound(round: Round): Promise<SeedstormError | undefined> {
    const text = roundText(this.plan, round);
    if (text !== '') this.log.event('info', 'round-started', text);
    const agents = this.#agentsOf(round);
    for (const [index, resolved] of round.stages.entries()) {
      if (this.#cancelled) return undefined;
      const error =
        resolved.kind === 'network'
          ? await this.#runNetwork(index, resolved, round, agents)
          : await this.#runStage(index, resolved, round, agents);
      if (error !== undefined) return error;
    }
    return undefined;
  }

  /** The agents that take part in a round: where not all do, those that joined first. */
  #agentsOf({ agents }: Round): ReadonlySet<string> | undefined {
    if (agents === undefined) return undefined;
    const names = this.members.working().map(({ name }) => name);
    if (names.length < agents) {
      const what = `this point of the sweep needs ${agents} agents, and ${names.length} are left`;
      throw new SeedstormError({ code: 'SEEDSTORM_E_NO_AGENTS', what });
    }
    return new Set(names.slice(0, agents));
  }

  async #runNetwork(
    index: number,
    resolved: ResolvedNetworkStage,
    round: Round,
    agents: ReadonlySet<string> | undefined,
  ): Promise<SeedstormError | undefined> {
    const plan = networkPlan(round.plan, this.id, index, this.members.nextStage(), resolved, round, agents);
    const stage = new NetworkStage(plan, this.members, this.log, this.listenHost);
    const outcome = await this.#perform(stage);
    this.#results.push(networkResult(stage));
    return this.#unlessWhole(plan.name, plan.label, outcome);
  }

  /** Keeps the run's record up to date while a stage makes data. */
  async #recording<T>(stage: Stage, work: () => Promise<T>): Promise<T> {
    if (!makesData(stage.plan.name)) return work();
    const unfollow = this.#recorder.follow(() => stage.ledger);
    try {
      return await work();
    } finally {
      await unfollow();
    }
  }

  /** Runs a stage and tells of its end. */
  async #perform(stage: Stage | NetworkStage): Promise<StageOutcome> {
    const { label: name } = stage.plan;
    this.#stage = stage;
    this.log.stageName = name;
    const outcome = await stage.run();
    this.#stage = undefined;
    this.#notes.push(...stage.notes.filter((note) => !this.#notes.includes(note)));
    this.log.event('info', 'stage-ended', outcome.complete ? `${name} is complete` : `${name} ended early`);
    this.log.stageName = '';
    return outcome;
  }

  /** Nothing passes that is not whole, whatever the reason. */
  #unlessWhole(name: string, label: string, { complete, error }: StageOutcome): SeedstormError | undefined {
    if (complete || this.#cancelled || error !== undefined) return error;
    const what = `${label} ended before ${name === 'network' ? 'its time was over' : 'all of its units were done'}`;
    return new SeedstormError({ code: 'SEEDSTORM_E_STAGE_FAILED', what });
  }

  async #runStage(
    index: number,
    resolved: ResolvedDataStage,
    { plan: planOfRound, ...place }: Place & Pick<Round, 'plan'>,
    agents?: ReadonlySet<string>,
  ): Promise<SeedstormError | undefined> {
    const standing = this.#standing;
    const spared = this.findings.sparedObjects();
    if (resolved.kind === 'delete' && this.options.keep) {
      this.log.event('info', 'kept', 'nothing is deleted: the data was asked to be kept');
      return undefined;
    }
    if (resolved.kind === 'delete' && spared === 'all') {
      this.log.event('warning', 'kept', 'nothing is deleted: more objects hold faults than can be named');
      this.#leave();
      return undefined;
    }
    if (changesNames(resolved.kind)) standing.hasData = true;
    this.#begun = resolved;
    const sparedObjects = resolved.kind === 'list' ? this.#neverMade() : spared === 'all' ? [] : spared;
    const wireStage = this.members.nextStage();
    const plan = stagePlan(planOfRound, this.id, index, wireStage, resolved, sparedObjects, place, agents);
    const own = resolved.kind === 'mixed' ? this.#mixed?.begin(resolved.mix) : undefined;
    const unknown = (this.#mixed?.failed ?? []).map(({ first, end }): Range => [first, end]);
    // Who reads without looking, or writes or removes everything, need not know what single blocks hold.
    const shards = plan.name === 'mixed' || plan.name === 'verify' ? this.#mixed?.shards(own) : undefined;
    const stage = new Stage(plan, this.members, this.log, this.findings, standing, shards, unknown);
    await this.#recorder.begins(planOfRound, resolved, this.#identity);
    const outcome = await this.#recording(stage, () => this.#perform(stage));
    // The removal after a failure or a stop is no stage of the plan.
    if (!plan.isCleanUp) this.#results.push(stageResult(stage));
    if (stage.ledger !== undefined && makesData(resolved.kind))
      standing.wrote(stage.ledger, resolved.generation, plan.sync !== 'never');
    else if (plan.needsSettled) standing.changed(stage.passes?.ledgers ?? []);
    if (resolved.kind === 'write') this.#mixed?.rewritten();
    if (own !== undefined) this.#mixedWas(stage, own);
    this.#evidenceSkipped += stage.evidenceSkipped;
    const failedUnits = stage.ledger?.coverage().failed ?? 0;
    if (failedUnits > 0) {
      const what = `${resolved.kind}: ${failedUnits} units failed with I/O errors that the plan lets pass`;
      this.#note(makesData(resolved.kind) ? `${what}; they are not read or verified` : what);
    }
    await this.#recorder.ended(planOfRound, resolved, stage.ledger, outcome.complete && failedUnits === 0);
    const unwritten = resolved.kind === 'write' && stage.ranItsTime ? (stage.ledger?.unfinished() ?? []) : [];
    if (unwritten.length > 0) {
      const units = unwritten.reduce((sum, [first, end]) => sum + end - first, 0) - failedUnits;
      this.#note(`${plan.label}: ${units} units were not written in its time; they are not read or verified`);
    }
    if (stage.ioErrors.inAll > 0) this.#hasErrors = true;
    if (resolved.kind === 'delete' && outcome.complete && failedUnits === 0) {
      // Nothing is removed from a device.
      standing.removed(this.plan.target.kind === 'block');
      if (!standing.hasData) this.#mixed?.deleted();
      if (spared.length > 0) this.#leave();
      else if (!stage.folderRemoved) this.#leaveFolders();
    }
    if (outcome.lost > 0 && outcome.error === undefined) {
      this.#lostUnits = Math.max(this.#lostUnits, outcome.lost);
      // What the others had is deleted; what the lost had is where they were.
      if (resolved.kind === 'delete') {
        standing.hasData = false;
        this.#leaveFolders();
      }
      return undefined;
    }
    return this.#unlessWhole(plan.name, plan.label, outcome);
  }

  #note(note: string): void {
    if (!this.#notes.includes(note)) this.#notes.push(note);
  }

  /** A mixed stage is over. */
  #mixedWas({ passes }: Stage, own: MixedLayer): void {
    for (const [first, end] of passes?.failedRanges() ?? []) own.failed.push({ first, end });
    const note =
      'mixed: blocks that were overwritten are copies of no others any more: the data has not exactly the dedup ratio of the plan until it is written again';
    const { dedupMilli } = this.plan.content;
    if (dedupMilli > 1000 && this.#mixed?.hasOverwrites === true) this.#note(note);
  }

  /** Objects whose write failed with errors that pass: nobody finds them. Past the limit they are taken for missing. */
  #neverMade(): number[] {
    const { unitsPerObject } = this.plan.layout;
    const objects = new Set<number>();
    for (const [first, end] of this.#standing.written?.unfinished() ?? []) {
      for (let unit = first; unit < end && objects.size < maxNeverMade; unit += unitsPerObject) {
        objects.add(Math.floor(unit / unitsPerObject));
      }
    }
    return [...objects];
  }

  /** Leaves nothing behind that nobody asked for. */
  async #cleanUp(failure: SeedstormError | undefined): Promise<void> {
    if (!this.#standing.hasData || this.#places.length === 0) return;
    const folders = this.folders.join(', ');
    const unfinished = failure !== undefined || this.#cancelled;
    if (!unfinished || this.options.keep || this.folders.length === 0) {
      this.#leave();
      return;
    }
    this.log.event('info', 'cleaning-up', `removing what the run wrote in ${folders}`);
    this.#cleaning = true;
    const generation = 0;
    // Files may have the names from before a rename or those behind it.
    const { names, nextNames } = this.#begun ?? {};
    const named = { ...(names === undefined ? {} : { names }), ...(nextNames === undefined ? {} : { nextNames }) };
    const remove = { kind: 'delete', delayMs: 0, generation, ...named } as const;
    const error = await this.#runStage(this.plan.stages.length, remove, { plan: this.plan, ...noPlace });
    if (error !== undefined || this.#standing.hasData) {
      this.#leave();
      this.log.event(
        'error',
        'left-behind',
        `${folders} could not be removed${error === undefined ? '' : `: ${error.what}`}`,
      );
    }
  }

  /** Notes what stays on the target: the objects with faults, or all. */
  #leave(): void {
    if (this.#places.length === 0) return;
    if (!this.#standing.hasData) this.#spared = this.findings.sparedObjects().length;
    for (const path of this.#standing.hasData ? this.#places : this.findings.sparedPaths()) this.#leftBehind.add(path);
  }

  #leaveFolders(): void {
    for (const folder of this.folders) this.#leftBehind.add(folder);
  }

  /** Stages went on without what was lost, but a run that did not cover its data has not passed. */
  #lossOfUnits(): SeedstormError | undefined {
    if (this.#lostUnits === 0) return undefined;
    const went =
      this.#absentHosts.length === 0
        ? 'went with the agents that wrote them'
        : `could not be reached: no agent is on ${this.#absentHosts.join(', ')}, which wrote them`;
    return new SeedstormError({
      code: 'SEEDSTORM_E_UNITS_LOST',
      what: `${this.#lostUnits} units of node-local data ${went}; all others were covered`,
    });
  }

  #result(failure: SeedstormError | undefined): RunResult {
    const corrupt = this.findings.any;
    const ended = failure !== undefined ? 'failed' : this.#cancelled ? 'cancelled' : undefined;
    return {
      runId: this.id,
      name: this.plan.name ?? '',
      outcome: corrupt ? 'corrupt' : (ended ?? (this.#hasErrors ? 'errors' : 'passed')),
      error: failure === undefined ? undefined : toErrorDetail(failure),
      seed: this.plan.content.seed,
      namespace: this.plan.content.namespace,
      startedUnixMs: BigInt(this.startedUnixMs),
      endedUnixMs: BigInt(Date.now()),
      stages: this.#results,
      findings: this.findings.kept,
      indeterminate: this.findings.indeterminate,
      leftBehind: [...this.#leftBehind],
      notes: this.#notes,
      agentsSeen: this.#seen.size,
      agentsLost: this.#lost.size,
      sparedObjects: BigInt(this.#spared),
      evidenceSkipped: BigInt(this.#evidenceSkipped),
      spreads: spreadsOf(this.#results),
      sweep: sweepResult(this.plan, this.#results),
      dataRunId: this.plan.earlier?.runId ?? '',
      dataStartedUnixMs: BigInt(Math.round(this.plan.earlier?.startedUnixMs ?? 0)),
    };
  }

  /** Counts who was there, whatever stage it is. */
  #census() {
    const nothing = (): void => {};
    return {
      joined: (member: Member) => void this.#seen.add(member.name),
      returned: nothing,
      suspected: nothing,
      lost: (member: Member) => void this.#lost.add(member.name),
      leaving: () => false,
      heartbeat: nothing,
      said: nothing,
    };
  }
}
