/**
 * One run: the plan's stages in order, and what is left behind at the end. A run that fails or is stopped removes what
 * it wrote; objects with faults are always spared, as evidence.
 */
import { asSeedstormError, SeedstormError } from '@seedstorm/errors';
import { type RunResult, toErrorDetail } from '@seedstorm/proto';
import { nowMs } from '../clock.js';
import type { Ledger } from '../ledger/index.js';
import type { Member } from '../membership/member.js';
import type { Members } from '../membership/members.js';
import type { ResolvedPlan, ResolvedStage } from '../plan/index.js';
import { checkTarget } from './check.js';
import { Findings } from './findings.js';
import type { RunLog } from './run-log.js';
import { Stage } from './stage.js';
import { stagePlan } from './stage-plan.js';
import { stageResult } from './stage-result.js';

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

/** One run. */
export class Run {
  readonly findings = new Findings();
  readonly startedUnixMs = Date.now();
  readonly #stages: Stage[] = [];
  readonly #leftBehind = new Set<string>();
  readonly #notes: string[];
  readonly #seen = new Set<string>();
  readonly #lost = new Set<string>();
  /** The ledger of the last write: who wrote what is there now. */
  #written: Ledger | undefined;
  /** Whether objects of this run may be on the target. */
  #hasData = false;
  #stage: Stage | undefined;
  #cancelled = false;

  constructor(
    readonly id: string,
    readonly plan: ResolvedPlan,
    readonly options: RunOptions,
    private readonly members: Members,
    readonly log: RunLog,
  ) {
    this.#notes = [...plan.notes];
  }

  /** The run's own folder, where there is one. */
  get folder(): string | undefined {
    return this.plan.target.kind === 'file' ? this.plan.target.runFolder : undefined;
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
      failure = await this.#runStages();
    } catch (error) {
      failure = asSeedstormError(error);
    }
    await this.#cleanUp(failure);
    stopListening();
    const result = this.#result(failure);
    this.log.end(result);
    return result;
  }

  /** Stops the run gracefully. */
  cancel(): void {
    if (this.#cancelled) return;
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
    const checks = await checkTarget(this.members, this.plan, this.id);
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
      const error = await this.#runStage(index, resolved);
      if (error !== undefined) return error;
    }
    return undefined;
  }

  async #runStage(index: number, resolved: ResolvedStage): Promise<SeedstormError | undefined> {
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
    if (resolved.kind === 'write') this.#hasData = true;
    const plan = stagePlan(this.plan, this.id, index, resolved, spared === 'all' ? [] : spared);
    const stage = new Stage(plan, this.members, this.log, this.findings, this.#written);
    this.#stages.push(stage);
    this.#stage = stage;
    this.log.stageName = resolved.kind;
    const outcome = await stage.run();
    this.#stage = undefined;
    if (resolved.kind === 'write') this.#written = stage.ledger ?? this.#written;
    this.#notes.push(...stage.notes.filter((note) => !this.#notes.includes(note)));
    this.log.event(
      'info',
      'stage-ended',
      outcome.complete ? `${resolved.kind} is complete` : `${resolved.kind} ended early`,
    );
    this.log.stageName = '';
    if (resolved.kind === 'delete' && outcome.complete) {
      this.#hasData = false;
      this.#written = undefined;
      if (spared.length > 0) this.#leave();
      else if (this.folder !== undefined && !stage.folderRemoved) this.#leftBehind.add(this.folder);
    }
    return outcome.error;
  }

  /** Leaves nothing behind that nobody asked for. */
  async #cleanUp(failure: SeedstormError | undefined): Promise<void> {
    if (!this.#hasData || this.folder === undefined) return;
    const unfinished = failure !== undefined || this.#cancelled;
    if (!unfinished || this.options.keep) {
      this.#leave();
      return;
    }
    this.log.event('info', 'cleaning-up', `removing what the run wrote in ${this.folder}`);
    this.#cancelled = false;
    const generation = 0;
    const error = await this.#runStage(this.plan.stages.length, { kind: 'delete', delayMs: 0, generation });
    if (error !== undefined || this.#hasData) {
      this.#leave();
      this.log.event(
        'error',
        'left-behind',
        `${this.folder} could not be removed${error === undefined ? '' : `: ${error.what}`}`,
      );
    }
    this.#cancelled = failure === undefined;
  }

  /** Notes what stays on the target: the objects with faults, or all. */
  #leave(): void {
    if (this.folder === undefined) return;
    for (const path of this.#hasData ? [this.folder] : this.findings.sparedPaths()) this.#leftBehind.add(path);
  }

  #result(failure: SeedstormError | undefined): RunResult {
    // The removal after a failure or a stop is no stage of the plan.
    const stages = this.#stages.filter((stage) => stage.plan.index < this.plan.stages.length);
    const corrupt = this.findings.any;
    const ended = failure !== undefined ? 'failed' : this.#cancelled ? 'cancelled' : undefined;
    return {
      runId: this.id,
      name: this.plan.name ?? '',
      outcome: corrupt ? 'corrupt' : (ended ?? 'passed'),
      error: failure === undefined ? undefined : toErrorDetail(failure),
      seed: this.plan.content.seed,
      namespace: this.plan.content.namespace,
      startedUnixMs: BigInt(this.startedUnixMs),
      endedUnixMs: BigInt(Date.now()),
      stages: stages.map(stageResult),
      findings: this.findings.kept,
      leftBehind: [...this.#leftBehind],
      notes: this.#notes,
      agentsSeen: this.#seen.size,
      agentsLost: this.#lost.size,
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
