/** A stage over data on this agent: the engine's task, and the leases that it works on. It must not know how messages travel. */
import { rmdir } from 'node:fs/promises';
import { asSeedstormError, SeedstormError } from '@seedstorm/errors';
import {
  clearS3,
  dropCaches,
  type Engine,
  lookAgain,
  type MemoryStore,
  monotonicNs,
  Task,
  type TaskSnapshot,
  type TaskSpec,
} from '@seedstorm/native';
import {
  type EndStage,
  type FileWork,
  type Finding,
  type GeneratorSpeed,
  type GrantLease,
  Operation,
  type PrepareStage,
  type RateShare,
  type Reading,
  type Report,
  type RereadPlace,
  type Residency,
  type StartStage,
} from '@seedstorm/proto';
import { memoryBytes } from './check/host.js';
import { runFolders } from './file-target.js';
import { lateWrites, reservedBy, shardHistory } from './overwrites.js';
import { type ReportFrame, readingOf, reportOf } from './report.js';
import { Seconds } from './seconds.js';
import { type StageHost, StagePart } from './stage-part.js';
import { seeOwnLock } from './target-lock.js';
import { taskSpec } from './task-spec.js';

/** How often finished work is looked for, so that a fast agent is not idle until its next report. */
const pollMs = 10;
/** How soon after a report another one tells of finished work; at once when few leases are left to work on. */
const workReportMs = 50;
const fewLeases = 4;
const reportMs = 1000;
/** Leases that the coordinator may have granted and this agent not yet finished. */
const maxLeases = 4096;

/** One stage on this agent. */
export class StageWork extends StagePart<Task, TaskSnapshot> {
  readonly #epochs = new Map<bigint, bigint>();
  #seconds: Seconds | undefined;
  #endedWork = 0;
  #lastReportNs = 0n;
  #deadlineNs = 0n;
  /** The last place that it looks at again; they are looked at one after the other. */
  #looking: Promise<void> = Promise.resolve();
  #evidenceSkipped = 0;

  constructor(
    readonly message: PrepareStage,
    host: StageHost,
  ) {
    super(message.stage, host, pollMs);
  }

  /** Gets ready and says so, or why not. */
  prepare(engine: Promise<Engine>, memory: () => MemoryStore | undefined): Promise<void> {
    return this.getReady(async (answer) => {
      answer.memoryBytes = memoryBytes();
      const running = await engine;
      const lanes = running.placement.reduce((sum, pool) => sum + pool.lanes.length, 0);
      await seeTarget(this.message);
      answer.notes.push(...(await dropCachesFor(this.message)));
      const spec = { ...taskSpec(this.message, lanes), evidence: this.host.evidence !== undefined };
      answer.generator = await this.#generator(running, spec);
      answer.lanes = Math.min(lanes, spec.lanes ?? lanes);
      const task = await Task.prepare(running, spec, memory());
      task.setDeadline(this.#deadlineNs);
      return task;
    });
  }

  /** How fast the lanes that take part deal with the run's data without storage, where that is wanted. */
  async #generator(engine: Engine, spec: TaskSpec): Promise<GeneratorSpeed | undefined> {
    return this.message.measureGenerator
      ? await this.host.generator.speed(this.message.runId, engine, spec)
      : undefined;
  }

  /**
   * All begin at an instant of this agent's clock, with a share of the stage's rate where it has one; the ramp and the time
   * are over at others, where these are not 0.
   */
  start({ atAgentNs, commonStartAgentNs, overAtAgentNs, countFromAgentNs, share }: StartStage): void {
    const task = this.work;
    if (task === undefined) return;
    if (share !== undefined) task.shareRate(share);
    if (overAtAgentNs > 0n) task.endAt(overAtAgentNs);
    if (countFromAgentNs > 0n) task.countFrom(countFromAgentNs);
    this.begins();
    // Told again after a break, it goes on.
    this.#seconds ??= new Seconds(() => task.moved(), commonStartAgentNs, atAgentNs);
    task.beginAt(atAgentNs);
  }

  /** The share of the stage's rate is another one from now on. */
  shareRate(share: RateShare): void {
    this.work?.shareRate(share);
  }

  /** The time is over at this instant of this agent's clock. */
  moveEnd(overAtNs: bigint): void {
    this.work?.endAt(overAtNs);
  }

  /** Leases end at this instant of this agent's clock, unless it is moved. */
  setDeadline(ns: bigint): void {
    this.#deadlineNs = ns;
    this.work?.setDeadline(ns);
  }

  /** A seed range to work on; one that is known already was granted again after a break. */
  grant({ leaseId, epoch, units, shards, late }: GrantLease): void {
    if (units === undefined || this.#epochs.has(leaseId) || this.isEnding) return;
    if (this.#epochs.size >= maxLeases) {
      throw new SeedstormError({
        code: 'SEEDSTORM_E_LIMIT',
        what: `the coordinator grants more than ${maxLeases} leases at once`,
      });
    }
    this.#epochs.set(leaseId, epoch);
    try {
      this.work?.addRange(leaseId, units.first, units.end, shards.map(shardHistory), late.map(lateWrites));
    } catch (error) {
      this.endEarly(error);
    }
  }

  /** A seed range that is not ours any more. */
  fence(leaseId: bigint): void {
    this.work?.fenceRange(leaseId);
  }

  /** Makes durable what was written. */
  sync(): void {
    this.work?.sync();
  }

  /** Looks at the place of a fault that another agent found. */
  reread(question: RereadPlace): void {
    const { stage, id } = question;
    this.#looking = this.#looking
      .then(() => lookAt(this.message, question))
      .then((reading) => this.host.say({ $case: 'placeReread', value: { stage, id, reading } }));
  }

  /** All that is known of a fault whose bytes are kept here. */
  known(finding: Finding | undefined): void {
    if (finding !== undefined) this.host.evidence?.known(finding);
  }

  /** A report was taken into the ledger, and those before it. */
  acknowledged(sequence: bigint): void {
    for (const report of this.unacknowledged.acknowledged(sequence)) {
      // Whoever goes on when this process dies knows of them now.
      for (const { leaseId, limits } of reservedBy(report)) this.work?.allow(leaseId, limits);
      // What is complete is never reported again.
      for (const lease of report.leases) if (lease.complete) this.#epochs.delete(lease.leaseId);
    }
  }

  override async abandon(): Promise<void> {
    this.#seconds?.close();
    await super.abandon();
  }

  protected override reportIsDue({ endedWork }: Task): boolean {
    const sinceMs = Number(monotonicNs() - this.#lastReportNs) / 1e6;
    const tellsOfWork = endedWork !== this.#endedWork && (this.#epochs.size <= fewLeases || sinceMs >= workReportMs);
    if (!tellsOfWork && sinceMs < reportMs) return false;
    this.#endedWork = endedWork;
    this.#lastReportNs = monotonicNs();
    return true;
  }

  protected override reportOf(_task: Task, snapshot: TaskSnapshot, frame: ReportFrame, last: boolean): Report {
    const { evidence } = this.host;
    const report = reportOf(snapshot, {
      frame,
      reader: this.host.name,
      epochs: this.#epochs,
      keep: (finding) => {
        const kept = evidence?.keep(this.message, finding);
        if (kept === 'full') this.#evidenceSkipped += 1;
        return typeof kept === 'object' ? kept.path : '';
      },
      evidenceSkipped: () => this.#evidenceSkipped,
      seconds: this.#seconds?.take(last) ?? [],
    });
    report.notes.push(...(evidence?.takeNotes() ?? []));
    return report;
  }

  protected override comesToEnd(task: Task): void {
    task.finish();
  }

  protected override async clearUp({ removeRunFolder }: EndStage): Promise<boolean> {
    // What is to be said of evidence goes with the last report.
    await this.host.evidence?.written();
    return removeRunFolder ? await clearRun(this.message) : true;
  }

  protected override parting() {
    return { fileWork: fileWorkOf(this.work) };
  }
}

/** What is at a place now. It never fails: that a place cannot be looked at is an answer too. */
async function lookAt(message: PrepareStage, question: RereadPlace): Promise<Reading> {
  const { object, offset, length, fingerprint, generation } = question;
  const place = { object: Number(object), offset: Number(offset), length: Number(length), fingerprint };
  const failed = (detail: string): Reading => readingOf({ direct: false, saw: 'failed', detail, readNs: 0n });
  try {
    const { overwrites: _, ...verify } = taskSpec({ ...message, operation: Operation.VERIFY, generation }, 1);
    const seen = await lookAgain(verify, place);
    return seen === undefined ? failed('this target cannot be looked at') : readingOf(seen);
  } catch (error) {
    return failed(asSeedstormError(error).what);
  }
}

/**
 * Removes the run's own folder in each path if nothing is left in it, and from a store what no object is: open uploads and
 * older versions. True when nothing of the run is left.
 */
async function clearRun(message: PrepareStage): Promise<boolean> {
  const { target } = message;
  if (target?.kind?.$case === 's3') return clearS3(taskSpec(message, 1));
  if (target?.kind?.$case !== 'file') return true;
  const gone = await Promise.all(
    runFolders(target.kind.value).map(async (folder) => {
      try {
        await rmdir(folder);
        return true;
      } catch (error) {
        return error instanceof Error && 'code' in error && error.code === 'ENOENT';
      }
    }),
  );
  return gone.every((each) => each);
}

/** In a folder that is not the run's, writes would go astray, reads would find files missing, and deletes nothing. */
async function seeTarget({ runId, operation, target }: PrepareStage): Promise<void> {
  if (target === undefined || operation === Operation.GENERATE) return;
  const isShared =
    target.kind?.$case === 's3' || (target.kind?.$case === 'file' && target.kind.value.scope === 'shared');
  if (isShared) await seeOwnLock(target, runId);
}

/** Empties the page cache where the stage wants it. Gives what could not be done and need not be. */
async function dropCachesFor({ dropCaches: wanted }: PrepareStage): Promise<string[]> {
  if (wanted === '') return [];
  try {
    await dropCaches();
    return [];
  } catch (error) {
    if (wanted === 'true') throw error;
    return [asSeedstormError(error).what];
  }
}

/** What a task on files did beside the I/O, for the wire. */
function fileWorkOf(task: Task | undefined): FileWork | undefined {
  const work = task?.fileWork;
  if (work === undefined) return undefined;
  const residency = ({ objects, pages, resident }: typeof work.cachedBefore): Residency => ({
    objects: BigInt(objects),
    pages: BigInt(pages),
    resident: BigInt(resident),
  });
  return {
    direct: work.direct,
    cachedBefore: residency(work.cachedBefore),
    cachedAfter: residency(work.cachedAfter),
    preallocated: BigInt(work.preallocated),
    preallocateNs: BigInt(work.preallocateNs),
  };
}
