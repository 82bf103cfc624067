/**
 * An agent's part in one stage, whatever it does there: it gets ready, reports, and ends. A report that was not acknowledged
 * is kept, since it may have to be sent again. It must know neither how messages travel nor what the stage does: that is for
 * its kinds, StageWork and NetworkWork.
 */
import { asSeedstormError } from '@seedstorm/errors';
import { monotonicNs } from '@seedstorm/native';
import {
  type EndStage,
  type ErrorDetail,
  type Report,
  StageEnded,
  StagePrepared,
  toErrorDetail,
} from '@seedstorm/proto';
import type { ToCoordinator } from './connection.js';
import type { EvidenceKeeper } from './evidence.js';
import type { GeneratorMeter } from './generator-meter.js';
import { Ports } from './ports.js';
import { ProcessCpu } from './process-cpu.js';
import type { ReportFrame } from './report.js';
import { Unacknowledged } from './unacknowledged.js';

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

/** What the engine does in a stage, and what it tells of it. */
interface NativeWork<Snapshot> {
  readonly notes: string[];
  /** Comes when all lanes are done; it fails with what went wrong, or because it was cancelled. */
  ended(): Promise<void>;
  cancel(): void;
  snapshot(): Promise<Snapshot>;
}

/** What is known of a stage when it is over, beside what every stage tells. */
type Parting = Partial<Pick<StageEnded, 'fileWork' | 'peers' | 'strangers'>>;

/** An agent's part in one stage. */
export abstract class StagePart<Work extends NativeWork<Snapshot>, Snapshot> {
  protected readonly unacknowledged = new Unacknowledged();
  protected work: Work | undefined;
  readonly #cpu = new ProcessCpu();
  #ports: Ports | undefined;
  #preparing: Promise<void> | undefined;
  #prepared: ToCoordinator | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Set while a report's counts are gathered. */
  #reporting: Promise<void> | undefined;
  #ending: EndStage | undefined;
  #ended: ToCoordinator | undefined;
  #abandoned = false;

  /** It asks itself every `lookEveryMs` whether a report is due. */
  protected constructor(
    private readonly stage: number,
    protected readonly host: StageHost,
    private readonly lookEveryMs: number,
  ) {}

  // ── What a kind of stage adds ────────────────────────────────────────────────────────────────────────────────────

  /** Whether there is something to report now. */
  protected abstract reportIsDue(work: Work): boolean;
  /** The counts for the wire. */
  protected abstract reportOf(work: Work, snapshot: Snapshot, frame: ReportFrame, last: boolean): Report;
  /** No more work comes: the engine may come to its end. */
  protected comesToEnd(_work: Work): void {}
  /** The engine's work is over. Whether nothing of the run is left that was to be removed. */
  protected clearUp(_message: EndStage): Promise<boolean> {
    return Promise.resolve(true);
  }
  /** What is known when all is over. */
  protected abstract parting(): Parting;
  /** What else was said and may have been missed. */
  protected said(): readonly ToCoordinator[] {
    return [];
  }

  // ── From the first to the last ───────────────────────────────────────────────────────────────────────────────────

  /** Gets the engine's work ready, with what there is to say of it in the answer, and says so, or why not. */
  protected getReady(open: (answer: StagePrepared) => Promise<Work>): Promise<void> {
    this.#preparing = this.#prepare(open);
    return this.#preparing;
  }

  async #prepare(open: (answer: StagePrepared) => Promise<Work>): Promise<void> {
    const answer = StagePrepared.fromPartial({ stage: this.stage });
    try {
      const work = await open(answer);
      this.work = work;
      this.#ports = await Ports.open(this.host.overLoopback);
      if (this.#abandoned) return;
      // One that ends by itself (a lane panicked, no memory) says so at once: it would be waited for for ever.
      work.ended().catch((error: unknown) => this.endEarly(error));
      answer.notes.push(...work.notes);
      this.#timer = setInterval(() => this.#look(), this.lookEveryMs);
    } catch (error) {
      answer.error = toErrorDetail(error);
    }
    if (this.#abandoned) return;
    this.#prepared = { $case: 'stagePrepared', value: answer };
    this.host.say(this.#prepared);
    if (this.#ending !== undefined) await this.#finish(this.#ending);
  }

  /** The engine begins at its instant: from now on this process's time counts as the stage's. */
  protected begins(): void {
    this.#cpu.begin();
  }

  /** Says something, unless nobody is to hear of the stage any more. */
  protected say(message: ToCoordinator): void {
    if (!this.#abandoned) this.host.say(message);
  }

  /** The coordinator may have missed what was said: says it again. */
  repeat(): void {
    if (this.#prepared !== undefined) this.host.say(this.#prepared);
    for (const message of this.said()) this.host.say(message);
    for (const report of this.unacknowledged.all) this.host.say({ $case: 'report', value: report });
    if (this.#ended !== undefined) this.host.say(this.#ended);
  }

  /** Whether its end was asked for, or came by itself. */
  protected get isEnding(): boolean {
    return this.#ending !== undefined;
  }

  /** No more work comes, or the stage was stopped: ends the engine's work, reports once more, says that it has ended. */
  async end(message: EndStage): Promise<void> {
    if (this.#ended !== undefined) {
      this.repeat();
      return;
    }
    const first = this.#ending === undefined;
    this.#ending = message;
    if (message.cancel) this.work?.cancel();
    // Work that is still being prepared is ended as soon as it is there.
    if (first && this.#prepared !== undefined) await this.#finish(message);
  }

  /** Stops whatever is left of it; for when the agent goes without the coordinator. */
  async abandon(): Promise<void> {
    this.#abandoned = true;
    this.work?.cancel();
    await this.#preparing?.catch(() => {});
    clearInterval(this.#timer);
    this.work?.cancel();
    await this.work?.ended().catch(() => {});
  }

  /** Ends without being told to, and says why. */
  protected endEarly(why: unknown): void {
    if (this.#ending !== undefined || this.#abandoned) return;
    this.#ending = { stage: this.stage, cancel: true, removeRunFolder: false };
    void this.#finish(this.#ending, toErrorDetail(why));
  }

  async #finish(message: EndStage, why?: ErrorDetail): Promise<void> {
    const { work } = this;
    const began = monotonicNs();
    let error = why;
    try {
      if (message.cancel) work?.cancel();
      else if (work !== undefined) this.comesToEnd(work);
      await work?.ended();
    } catch (thrown) {
      const known = asSeedstormError(thrown);
      if (known.code !== 'SEEDSTORM_E_CANCELLED') error ??= toErrorDetail(known);
    }
    const closeNs = monotonicNs() - began;
    clearInterval(this.#timer);
    if (this.#abandoned) return;
    let runFolderRemoved = false;
    try {
      runFolderRemoved = await this.clearUp(message);
    } catch (thrown) {
      error ??= toErrorDetail(thrown);
    }
    try {
      // What one that is under way tells is told once, and nobody listens behind the end.
      await this.#reporting;
      if (work !== undefined) await this.#report(work, true);
    } catch (thrown) {
      error ??= toErrorDetail(thrown);
    }
    if (this.#abandoned) return;
    const value = StageEnded.fromPartial({ ...this.parting(), stage: this.stage, error, closeNs, runFolderRemoved });
    this.#ended = { $case: 'stageEnded', value };
    this.host.say(this.#ended);
  }

  #look(): void {
    const { work } = this;
    // With a report under way, what is new since is in the next.
    if (work === undefined || this.#reporting !== undefined || this.unacknowledged.isFull) return;
    if (!this.reportIsDue(work)) return;
    this.#reporting = this.#report(work, false)
      .catch((error: unknown) => this.endEarly(error))
      .finally(() => {
        this.#reporting = undefined;
      });
  }

  async #report(work: Work, last: boolean): Promise<void> {
    const snapshot = await work.snapshot();
    const hostNetwork = await this.#ports?.since(this.isEnding);
    if (this.#abandoned) return;
    const sequence = this.unacknowledged.nextSequence();
    const frame = { stage: this.stage, sequence, hostNetwork, ...this.#cpu.used() };
    const report = this.reportOf(work, snapshot, frame, last);
    this.unacknowledged.keep(report);
    this.host.say({ $case: 'report', value: report });
  }
}
