/**
 * One run: the plan's stages in order, and what is left behind at the end. A run that fails or is stopped removes what
 * it wrote; objects with faults are always spared, as evidence.
 */
import { asSeedstormError, SeedstormError } from '@seedstorm/errors';
import { type RunResult, type StageResult, toErrorDetail } from '@seedstorm/proto';
import { nowMs } from '../clock.js';
import type { Ledger } from '../ledger/index.js';
import type { Member } from '../membership/member.js';
import { type Members, usualLeaseMs } from '../membership/members.js';
import type { ResolvedDataStage, ResolvedNetworkStage, ResolvedPlan } from '../plan/index.js';
import { checkTarget } from './check.js';
import { Findings } from './findings.js';
import type { StageOutcome } from './muster.js';
import { networkResult } from './network-result.js';
import { NetworkStage, networkPlan } from './network-stage.js';
import type { RunLog } from './run-log.js';
import { Stage } from './stage.js';
import { changesNames, makesData, stagePlan } from './stage-plan.js';
import { stageResult } from './stage-result.js';
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

const agentsPollMs = 50;
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
  /** The ledger of the last write: who wrote what is there now. */
  #written: Ledger | undefined;
  /** The ledgers of writes and deletes that lost agents may still be at. */
  #mutations: Ledger[] = [];
  /** Whether objects of this run may be on the target. */
  #hasData = false;
  #stage: Stage | NetworkStage | undefined;
  /** The stage over seed ranges that began last. */
  #begun: ResolvedDataStage | undefined;
  readonly #lock: TargetLock;
  /** Units of node-local data that some stage could not reach any more. */
  #lostUnits = 0;
  #cancelled = false;
  #cleaning = false;
  /** Whether there were I/O errors, also such as pass. */
  #hasErrors = false;
  #evidenceSkipped = 0;
  /** Objects that were left on the target for their faults. */
  #spared = 0;

  constructor(
    readonly id: string,
    readonly plan: ResolvedPlan,
    readonly options: RunOptions,
    private readonly members: Members,
    readonly log: RunLog,
    /** The host that the coordinator listens on. */
    private readonly listenHost: string,
  ) {
    this.#notes = [...plan.notes];
    this.#lock = new TargetLock(members, plan, log);
  }

  /** The run's own folders, or the beginning of its keys, where there are any. */
  get folders(): readonly string[] {
    const { target } = this.plan;
    if (target.kind === 's3') return [`s3://${[target.bucket, target.prefix, this.id].filter(Boolean).join('/')}/`];
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
      await this.#gather();
      if (!this.#cancelled) await this.#preflight();
      if (!this.#cancelled) await this.#lock.take(() => this.#cancelled);
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

  /** Waits for enough agents. */
  async #gather(): Promise<void> {
    const { agents, agentsTimeoutMs } = this.options;
    const deadline = agentsTimeoutMs === 0 ? undefined : nowMs() + agentsTimeoutMs;
    let told = -1;
    while (!this.#cancelled && this.members.working().length < agents) {
      const present = this.members.working().length;
      if (present !== told) this.log.event('info', 'waiting-for-agents', `${present} of ${agents} agents have joined`);
      told = present;
      if (deadline !== undefined && nowMs() > deadline) {
        throw new SeedstormError({
          code: 'SEEDSTORM_E_NO_AGENTS',
          what: `${present} of ${agents} agents joined within ${agentsTimeoutMs / 1000} s`,
        });
      }
      await new Promise((resolve) => setTimeout(resolve, agentsPollMs));
    }
  }

  /** Refuses to begin what would fail for want of space or rights. */
  async #preflight(): Promise<void> {
    const checks = await checkTarget(this.members, this.plan, this.id, () => this.#cancelled);
    for (const { name, checked } of checks) {
      for (const { level, detail } of checked.findings) {
        if (level === 'CHECK_LEVEL_ERROR' && detail !== undefined) {
          throw SeedstormError.fromJSON({ ...detail, what: `agent ${name}: ${detail.what}` });
        }
      }
    }
  }

  async #runStages(): Promise<SeedstormError | undefined> {
    for (const [index, resolved] of this.plan.stages.entries()) {
      if (this.#cancelled) return undefined;
      const error =
        resolved.kind === 'network' ? await this.#runNetwork(index, resolved) : await this.#runStage(index, resolved);
      if (error !== undefined) return error;
    }
    return undefined;
  }

  async #runNetwork(index: number, resolved: ResolvedNetworkStage): Promise<SeedstormError | undefined> {
    const plan = networkPlan(this.plan, this.id, index, this.members.nextStage(), resolved);
    const stage = new NetworkStage(plan, this.members, this.log, this.listenHost);
    const outcome = await this.#perform(stage);
    this.#results.push(networkResult(stage));
    return this.#unlessWhole(plan.name, outcome);
  }

  /** Runs a stage and tells of its end. */
  async #perform(stage: Stage | NetworkStage): Promise<StageOutcome> {
    const { name } = stage.plan;
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
  #unlessWhole(name: string, { complete, error }: StageOutcome): SeedstormError | undefined {
    if (complete || this.#cancelled || error !== undefined) return error;
    const what = `${name} ended before ${name === 'network' ? 'its time was over' : 'all of its units were done'}`;
    return new SeedstormError({ code: 'SEEDSTORM_E_STAGE_FAILED', what });
  }

  async #runStage(index: number, resolved: ResolvedDataStage): Promise<SeedstormError | undefined> {
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
    if (changesNames(resolved.kind)) this.#hasData = true;
    this.#begun = resolved;
    const sparedObjects = resolved.kind === 'list' ? this.#neverMade() : spared === 'all' ? [] : spared;
    const plan = stagePlan(this.plan, this.id, index, this.members.nextStage(), resolved, sparedObjects);
    const stage = new Stage(plan, this.members, this.log, this.findings, this.#written, this.#mutations);
    const outcome = await this.#perform(stage);
    // The removal after a failure or a stop is no stage of the plan.
    if (!plan.isCleanUp) this.#results.push(stageResult(stage));
    if (makesData(resolved.kind)) this.#written = stage.ledger ?? this.#written;
    if (stage.ledger !== undefined && plan.needsSettled) this.#mutations.push(stage.ledger);
    this.#mutations = this.#mutations.filter((ledger) => !ledger.isSettled());
    this.#evidenceSkipped += stage.evidenceSkipped;
    const failedUnits = stage.ledger?.coverage().failed ?? 0;
    if (failedUnits > 0) {
      const what = `${resolved.kind}: ${failedUnits} units failed with I/O errors that the plan lets pass`;
      this.#notes.push(makesData(resolved.kind) ? `${what}; they are not read or verified` : what);
    }
    const unwritten = resolved.kind === 'write' && stage.ranItsTime ? (stage.ledger?.unfinished() ?? []) : [];
    if (unwritten.length > 0) {
      const units = unwritten.reduce((sum, [first, end]) => sum + end - first, 0) - failedUnits;
      this.#notes.push(`write: ${units} units were not written in its time; they are not read or verified`);
    }
    if (stage.ioErrors.inAll > 0) this.#hasErrors = true;
    if (resolved.kind === 'delete' && outcome.complete && failedUnits === 0) {
      // Nothing is removed from a device.
      this.#hasData = this.plan.target.kind === 'block';
      this.#written = undefined;
      if (spared.length > 0) this.#leave();
      else if (!stage.folderRemoved) this.#leaveFolders();
    }
    if (outcome.lost > 0 && outcome.error === undefined) {
      this.#lostUnits = Math.max(this.#lostUnits, outcome.lost);
      // What the others had is deleted; what the lost had is where they were.
      if (resolved.kind === 'delete') {
        this.#hasData = false;
        this.#leaveFolders();
      }
      return undefined;
    }
    return this.#unlessWhole(resolved.kind, outcome);
  }

  /** Objects whose write failed with errors that pass: nobody finds them. Past the limit they are taken for missing. */
  #neverMade(): number[] {
    const { unitsPerObject } = this.plan.layout;
    const objects = new Set<number>();
    for (const [first, end] of this.#written?.unfinished() ?? []) {
      for (let unit = first; unit < end && objects.size < maxNeverMade; unit += unitsPerObject) {
        objects.add(Math.floor(unit / unitsPerObject));
      }
    }
    return [...objects];
  }

  /** Leaves nothing behind that nobody asked for. */
  async #cleanUp(failure: SeedstormError | undefined): Promise<void> {
    if (!this.#hasData || this.#places.length === 0) return;
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
    const error = await this.#runStage(this.plan.stages.length, remove);
    if (error !== undefined || this.#hasData) {
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
    if (!this.#hasData) this.#spared = this.findings.sparedObjects().length;
    for (const path of this.#hasData ? this.#places : this.findings.sparedPaths()) this.#leftBehind.add(path);
  }

  #leaveFolders(): void {
    for (const folder of this.folders) this.#leftBehind.add(folder);
  }

  /** Stages went on without what was lost, but a run that did not cover its data has not passed. */
  #lossOfUnits(): SeedstormError | undefined {
    if (this.#lostUnits === 0) return undefined;
    return new SeedstormError({
      code: 'SEEDSTORM_E_UNITS_LOST',
      what: `${this.#lostUnits} units of node-local data went with the agents that wrote them; all others were covered`,
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
      leftBehind: [...this.#leftBehind],
      notes: this.#notes,
      agentsSeen: this.#seen.size,
      agentsLost: this.#lost.size,
      sparedObjects: BigInt(this.#spared),
      evidenceSkipped: BigInt(this.#evidenceSkipped),
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
