/** The runs of this coordinator. One at a time holds the agents. */
import { randomBytes } from 'node:crypto';
import { SeedstormError } from '@seedstorm/errors';
import { defaultWindowBits } from '@seedstorm/native';
import type { Plan as PlanMessage, RunSummary } from '@seedstorm/proto';
import type { Members } from './membership/members.js';
import { parseAnyPlan, type ResolvedPlan, resolvePlan, resolveRevisit } from './plan/index.js';
import { earlierDataOf } from './record/earlier-data.js';
import type { RunRecord } from './record/run-record.js';
import type { RunRecords } from './record/run-records.js';
import { Run, type RunOptions } from './run/run.js';
import { RunLog } from './run/run-log.js';

/** Runs that a coordinator remembers; past it the oldest that have ended are forgotten. */
const maxRuns = 1000;

/** The runs of this coordinator. */
export class Runs {
  readonly #runs = new Map<string, Run>();
  #current: { run: Run; ended: Promise<unknown> } | undefined;

  constructor(
    private readonly members: Members,
    /** The host that the coordinator listens on. */
    private readonly listenHost: string,
    readonly records: RunRecords,
    /** The software's version. */
    private readonly version: string,
  ) {}

  /**
   * Starts a run of a plan.
   * @throws SeedstormError PLAN_… when the plan is wrong, RUN_RECORD_… and RUN_DATA_… when it is about an earlier run whose
   *   data cannot be verified, RUN_BUSY when another run holds the agents.
   */
  async submit(message: PlanMessage | undefined, options: Partial<RunOptions>): Promise<Run> {
    const { plan, earlier } = await resolve(message, newRunId(), this.records);
    if (this.#current !== undefined) {
      throw new SeedstormError({
        code: 'SEEDSTORM_E_RUN_BUSY',
        what: `run ${this.#current.run.id} holds the agents`,
      });
    }
    const { agents = 0, agentsTimeoutMs = 0, keep = false } = options;
    const wanted = { agents: Math.max(agents, plan.agentsMinimum), agentsTimeoutMs, keep };
    const run = new Run(plan.runId, plan, wanted, this.members, new RunLog(), this.listenHost, {
      records: this.records,
      software: this.version,
      ...(earlier === undefined ? {} : { earlier }),
    });
    this.#runs.set(run.id, run);
    const [oldest] = this.#runs.keys();
    if (this.#runs.size > maxRuns && oldest !== undefined) this.#runs.delete(oldest);
    const ended = run.run().finally(() => {
      this.#current = undefined;
    });
    this.#current = { run, ended };
    return run;
  }

  /**
   * The run of this id.
   * @throws SeedstormError RUN_NOT_FOUND.
   */
  find(id: string): Run {
    const run = this.#runs.get(id);
    if (run === undefined)
      throw new SeedstormError({ code: 'SEEDSTORM_E_RUN_NOT_FOUND', what: `there is no run ${id.slice(0, 64)}` });
    return run;
  }

  /** All of them, the newest first. */
  list(): RunSummary[] {
    return [...this.#runs.values()].reverse().map((run) => ({
      runId: run.id,
      name: run.plan.name ?? '',
      state: run.log.result?.outcome ?? 'running',
      startedUnixMs: BigInt(run.startedUnixMs),
    }));
  }

  /** Stops the current run, if there is one, and waits for its end. */
  async stop(): Promise<void> {
    this.#current?.run.cancel();
    await this.#current?.ended;
  }
}

/** A plan with every default filled in, and the record of the earlier run that it is about. */
export interface ResolvedSubmission {
  readonly plan: ResolvedPlan;
  readonly earlier?: RunRecord;
}

/**
 * A plan from the wire, with every default filled in.
 * @throws SeedstormError PLAN_… with every mistake that was found, RUN_RECORD_… and RUN_DATA_… of the earlier run.
 */
export async function resolve(
  message: PlanMessage | undefined,
  runId: string,
  records: RunRecords,
): Promise<ResolvedSubmission> {
  if (message === undefined)
    throw new SeedstormError({ code: 'SEEDSTORM_E_MESSAGE_INVALID', what: 'the call has no plan' });
  const plan = parseAnyPlan(message.text, message.fileName);
  if ('revisits' in plan) {
    const earlier = await records.read(plan.revisits);
    return { plan: resolveRevisit(plan, runId, earlierDataOf(earlier)), earlier };
  }
  const randomSeed = randomBytes(8).readBigUInt64LE();
  return { plan: resolvePlan(plan, { runId, randomSeed, defaultWindowBits, planFolder: message.folder }) };
}

/** When it began, to the second, and eight digits by chance: sorts by time, and names a folder. */
export function newRunId(): string {
  const time = new Date().toISOString().slice(0, 19).replace(/[-:]/gu, '').replace('T', '-');
  return `${time}-${randomBytes(4).toString('hex')}`;
}
