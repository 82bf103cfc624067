/**
 * One stage on this agent: the engine's task, the leases that it works on, and the reports about it. It must not know
 * how messages travel; a report that was not acknowledged is kept, since it may have to be sent again.
 */
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
  type TaskSpec,
} from '@seedstorm/native';
import {
  type EndStage,
  type ErrorDetail,
  type FileWork,
  type Finding,
  type GeneratorSpeed,
  type GrantLease,
  Operation,
  type PrepareStage,
  type RateShare,
  type Reading,
  type RereadPlace,
  type Residency,
  StageEnded,
  type StagePrepared,
  type StartStage,
  toErrorDetail,
} from '@seedstorm/proto';
import { memoryBytes } from './check/host.js';
import type { ToCoordinator } from './connection.js';
import type { EvidenceKeeper } from './evidence.js';
import { runFolders } from './file-target.js';
import type { GeneratorMeter } from './generator-meter.js';
import { lateWrites, reservedBy, shardHistory } from './overwrites.js';
import { Ports } from './ports.js';
import { ProcessCpu } from './process-cpu.js';
import { readingOf, reportOf } from './report.js';
import { Seconds } from './seconds.js';
import { seeOwnLock } from './target-lock.js';
import { taskSpec } from './task-spec.js';
import { Unacknowledged } from './unacknowledged.js';

/** How often finished work is looked for, so that a fast agent is not idle until its next report. */
const pollMs = 10;
/** How soon after a report another one tells of finished work; at once when few leases are left to work on. */
const workReportMs = 50;
const fewLeases = 4;
const reportMs = 1000;
/** Leases that the coordinator may have granted and this agent not yet finished. */
const maxLeases = 4096;

/** What a stage needs of the agent. */
export interface StageHost {
  readonly name: string;
  /** Whether it reaches the coordinator by loopback: then that counts among its ports. */
  readonly overLoopback: boolean;
  /** Where the bytes of faults are kept; absent when they are not. */
  readonly evidence?: EvidenceKeeper;
  /** Knows how fast the lanes deal with data without storage. */
  readonly generator: GeneratorMeter;
  say(message: ToCoordinator): void;
}

/** One stage on this agent. */
export class StageWork {
  readonly #epochs = new Map<bigint, bigint>();
  readonly #unacknowledged = new Unacknowledged();
  #task: Task | undefined;
  readonly #cpu = new ProcessCpu();
  #seconds: Seconds | undefined;
  #ports: Ports | undefined;
  #endedWork = 0;
  #lastReportNs = 0n;
  /** Set while a report's counts are gathered. */
  #reporting: Promise<void> | undefined;
  #deadlineNs = 0n;
  #ended: ToCoordinator | undefined;
  #prepared: ToCoordinator | undefined;
  #ending: EndStage | undefined;
  #poll: NodeJS.Timeout | undefined;
  #preparing: Promise<void> | undefined;
  /** The last place that it looks at again; they are looked at one after the other. */
  #looking: Promise<void> = Promise.resolve();
  #evidenceSkipped = 0;
  #abandoned = false;

  constructor(
    readonly message: PrepareStage,
    private readonly host: StageHost,
  ) {}

  /** Gets ready and says so, or why not. */
  prepare(engine: Promise<Engine>, memory: () => MemoryStore | undefined): Promise<void> {
    this.#preparing = this.#prepare(engine, memory);
    return this.#preparing;
  }

  async #prepare(engine: Promise<Engine>, memory: () => MemoryStore | undefined): Promise<void> {
    const { stage } = this.message;
    const answer: StagePrepared = {
      stage,
      error: undefined,
      notes: [],
      lanes: 0,
      dataAddress: '',
      generator: undefined,
      memoryBytes: memoryBytes(),
    };
    try {
      const running = await engine;
      const lanes = running.placement.reduce((sum, pool) => sum + pool.lanes.length, 0);
      await seeTarget(this.message);
      answer.notes.push(...(await dropCachesFor(this.message)));
      const spec = { ...taskSpec(this.message, lanes), evidence: this.host.evidence !== undefined };
      answer.generator = await this.#generator(running, spec);
      const task = await Task.prepare(running, spec, memory());
      this.#task = task;
      this.#ports = await Ports.open(this.host.overLoopback);
      if (this.#abandoned) return;
      // One that ends by itself (a lane panicked, no memory) says so at once: its leases would be waited for for ever.
      task.ended().catch((error: unknown) => this.#endEarly(error));
      task.setDeadline(this.#deadlineNs);
      answer.notes.push(...task.notes);
      answer.lanes = Math.min(lanes, spec.lanes ?? lanes);
      this.#poll = setInterval(() => this.#look(), pollMs);
      this.#prepared = { $case: 'stagePrepared', value: answer };
    } catch (error) {
      this.#prepared = { $case: 'stagePrepared', value: { ...answer, error: toErrorDetail(error) } };
    }
    if (this.#abandoned) return;
    this.host.say(this.#prepared);
    if (this.#ending !== undefined) await this.#finish(this.#ending);
  }

  /** How fast the lanes that take part deal with the run's data without storage, where that is wanted. */
  async #generator(engine: Engine, spec: TaskSpec): Promise<GeneratorSpeed | undefined> {
    return this.message.measureGenerator
      ? await this.host.generator.speed(this.message.runId, engine, spec)
      : undefined;
  }

  /** The coordinator may have missed what was said: says it again. */
  repeat(): void {
    if (this.#prepared !== undefined) this.host.say(this.#prepared);
    for (const report of this.#unacknowledged.all) this.host.say({ $case: 'report', value: report });
    if (this.#ended !== undefined) this.host.say(this.#ended);
  }

  /**
   * All begin at an instant of this agent's clock, with a share of the stage's rate where it has one; the ramp and the time
   * are over at others, where these are not 0.
   */
  start({ atAgentNs, commonStartAgentNs, overAtAgentNs, countFromAgentNs, share }: StartStage): void {
    const task = this.#task;
    if (task === undefined) return;
    if (share !== undefined) task.shareRate(share);
    if (overAtAgentNs > 0n) task.endAt(overAtAgentNs);
    if (countFromAgentNs > 0n) task.countFrom(countFromAgentNs);
    this.#cpu.begin();
    // Told again after a break, it goes on.
    this.#seconds ??= new Seconds(() => task.moved(), commonStartAgentNs, atAgentNs);
    task.beginAt(atAgentNs);
  }

  /** The share of the stage's rate is another one from now on. */
  shareRate(share: RateShare): void {
    this.#task?.shareRate(share);
  }

  /** The time is over at this instant of this agent's clock. */
  moveEnd(overAtNs: bigint): void {
    this.#task?.endAt(overAtNs);
  }

  /** Leases end at this instant of this agent's clock, unless it is moved. */
  setDeadline(ns: bigint): void {
    this.#deadlineNs = ns;
    this.#task?.setDeadline(ns);
  }

  /** A seed range to work on; one that is known already was granted again after a break. */
  grant({ leaseId, epoch, units, shards, late }: GrantLease): void {
    if (units === undefined || this.#epochs.has(leaseId) || this.#ending !== undefined) return;
    if (this.#epochs.size >= maxLeases) {
      throw new SeedstormError({
        code: 'SEEDSTORM_E_LIMIT',
        what: `the coordinator grants more than ${maxLeases} leases at once`,
      });
    }
    this.#epochs.set(leaseId, epoch);
    try {
      this.#task?.addRange(leaseId, units.first, units.end, shards.map(shardHistory), late.map(lateWrites));
    } catch (error) {
      this.#endEarly(error);
    }
  }

  /** A seed range that is not ours any more. */
  fence(leaseId: bigint): void {
    this.#task?.fenceRange(leaseId);
  }

  /** Makes durable what was written. */
  sync(): void {
    this.#task?.sync();
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
    for (const report of this.#unacknowledged.acknowledged(sequence)) {
      // Whoever goes on when this process dies knows of them now.
      for (const { leaseId, limits } of reservedBy(report)) this.#task?.allow(leaseId, limits);
      // What is complete is never reported again.
      for (const lease of report.leases) if (lease.complete) this.#epochs.delete(lease.leaseId);
    }
  }

  /** No more work comes: ends the task, reports once more, says that it has ended. */
  async end(message: EndStage): Promise<void> {
    if (this.#ended !== undefined) {
      this.repeat();
      return;
    }
    const first = this.#ending === undefined;
    this.#ending = message;
    if (message.cancel) this.#task?.cancel();
    // A task that is still being prepared is ended as soon as it is there.
    if (first && this.#prepared !== undefined) await this.#finish(message);
  }

  /** Stops whatever is left of it; for when the agent goes without the coordinator. */
  async abandon(): Promise<void> {
    this.#abandoned = true;
    this.#seconds?.close();
    this.#task?.cancel();
    await this.#preparing?.catch(() => {});
    clearInterval(this.#poll);
    this.#task?.cancel();
    await this.#task?.ended().catch(() => {});
  }

  /** Ends without being told to, and says why. */
  #endEarly(why: unknown): void {
    if (this.#ending !== undefined || this.#abandoned) return;
    this.#ending = { stage: this.message.stage, cancel: true, removeRunFolder: false };
    void this.#finish(this.#ending, toErrorDetail(why));
  }

  async #finish(message: EndStage, why?: ErrorDetail): Promise<void> {
    const task = this.#task;
    const began = monotonicNs();
    let error = why;
    try {
      if (message.cancel) task?.cancel();
      else task?.finish();
      await task?.ended();
    } catch (thrown) {
      const known = asSeedstormError(thrown);
      if (known.code !== 'SEEDSTORM_E_CANCELLED') error = toErrorDetail(known);
    }
    const closeNs = monotonicNs() - began;
    clearInterval(this.#poll);
    if (this.#abandoned) return;
    const fileWork = fileWorkOf(task);
    let runFolderRemoved = true;
    try {
      if (message.removeRunFolder) runFolderRemoved = await clearRun(this.message);
    } catch (thrown) {
      error ??= toErrorDetail(thrown);
      runFolderRemoved = false;
    }
    // What is to be said of evidence goes with the last report.
    await this.host.evidence?.written();
    try {
      // One that is under way comes before: what it tells is told once, and nobody listens behind the end.
      await this.#reporting;
      if (task !== undefined) await this.#report(task, true);
    } catch (thrown) {
      error ??= toErrorDetail(thrown);
    }
    if (this.#abandoned) return;
    const value = StageEnded.fromPartial({ stage: message.stage, error, closeNs, runFolderRemoved, fileWork });
    this.#ended = { $case: 'stageEnded', value };
    this.host.say(this.#ended);
  }

  #look(): void {
    const task = this.#task;
    // With a report under way, what is new since is in the next.
    if (task === undefined || this.#reporting !== undefined || this.#unacknowledged.isFull) return;
    const { endedWork } = task;
    const sinceMs = Number(monotonicNs() - this.#lastReportNs) / 1e6;
    const tellsOfWork = endedWork !== this.#endedWork && (this.#epochs.size <= fewLeases || sinceMs >= workReportMs);
    if (!tellsOfWork && sinceMs < reportMs) return;
    this.#endedWork = endedWork;
    this.#reporting = this.#report(task)
      .catch((error: unknown) => this.#endEarly(error))
      .finally(() => {
        this.#reporting = undefined;
      });
  }

  async #report(task: Task, last = false): Promise<void> {
    this.#lastReportNs = monotonicNs();
    const snapshot = await task.snapshot();
    const hostNetwork = await this.#ports?.since(this.#ending !== undefined);
    if (this.#abandoned) return;
    const { stage } = this.message;
    const report = reportOf(snapshot, {
      stage,
      sequence: this.#unacknowledged.nextSequence(),
      reader: this.host.name,
      epochs: this.#epochs,
      keep: (finding) => {
        const kept = this.host.evidence?.keep(this.message, finding);
        if (kept === 'full') this.#evidenceSkipped += 1;
        return typeof kept === 'object' ? kept.path : '';
      },
      evidenceSkipped: () => this.#evidenceSkipped,
      hostNetwork,
      seconds: this.#seconds?.take(last) ?? [],
      processCpu: this.#cpu.used(),
    });
    report.notes.push(...(this.host.evidence?.takeNotes() ?? []));
    this.#unacknowledged.keep(report);
    this.host.say({ $case: 'report', value: report });
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
async function seeTarget({ operation, target }: PrepareStage): Promise<void> {
  const files = target?.kind?.$case === 'file' ? target.kind.value : undefined;
  if (operation !== Operation.GENERATE && files?.scope === 'shared') await seeOwnLock(files);
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
