/** One operation over the units that it is given, on one sink; ranges are added while it runs. */
import type {
  JsFileWork,
  JsLateWrites,
  JsMoved,
  JsOverwrites,
  JsPattern,
  JsPlace,
  JsReread,
  JsShardHistory,
  JsShare,
  JsTaskSnapshot,
  JsTaskSpec,
  NativeMemoryStore,
  NativeTask,
} from '../binding.js';
import { binding } from './binding.js';
import type { Engine } from './engine.js';
import { native, nativeAsync } from './errors.js';

/** What a task does, over which layout, on which sink. */
export type TaskSpec = JsTaskSpec;
/** Counters and progress; counters are cumulative, histograms and findings are what came since the snapshot before. */
export type TaskSnapshot = JsTaskSnapshot;
/** How much a task has done at an instant. */
export type Moved = JsMoved;
/** A task's share of a rate that tasks keep together. */
export type Share = JsShare;
/** What overwrote single blocks of the data, and what a mixed task is to overwrite. */
export type Overwrites = JsOverwrites;
/** Which operations a mixed task does. */
export type Pattern = JsPattern;
/** What is known of the operations on one shard. */
export type ShardHistory = JsShardHistory;
/** What a lost holder of a range may have written late. */
export type LateWrites = JsLateWrites;
/** A place where a fault was found. */
export type Place = JsPlace;
/** What a second look at a place saw. */
export type Reread = JsReread;

/** What a task on files did beside the I/O: what was in the page cache, what was preallocated. */
export type FileWork = JsFileWork;

/** The monotonic clock that barriers, deadlines and snapshots are on, in ns. */
export function monotonicNs(): bigint {
  return process.hrtime.bigint();
}

/** What a memory sink keeps from one task to the next: the units that this process wrote. */
export class MemoryStore {
  private constructor(
    /** The addon's store; for this package only. */
    readonly inner: NativeMemoryStore,
  ) {}

  /**
   * An empty store for `units` units of `unitBytes` bytes, which keeps at most `limitBytes`.
   * @throws SeedstormError INVALID_ARGUMENT.
   */
  static create(unitBytes: number, units: number, limitBytes: number): MemoryStore {
    return new MemoryStore(native(() => new binding.NativeMemoryStore(unitBytes, units, limitBytes)));
  }
}

/**
 * Looks at the place of a fault again, past the page cache, without an engine: a task at work is not disturbed. Undefined
 * where the sink cannot be looked at.
 * @throws SeedstormError TARGET_MISSING, INVALID_ARGUMENT.
 */
export async function lookAgain(spec: TaskSpec, place: Place, memory?: MemoryStore): Promise<Reread | undefined> {
  return (await nativeAsync(() => binding.lookAgainAt(spec, place, memory?.inner))) ?? undefined;
}

/** A running task. */
export class Task {
  /** The snapshot that was asked for last. */
  #before: Promise<unknown> = Promise.resolve();

  private constructor(private readonly inner: NativeTask) {}

  /**
   * Gets ready: the run's folder is made, lanes are told. Slow storage is waited for on a thread of its own.
   * @throws SeedstormError TARGET_MISSING, TARGET_NOT_WRITABLE, DIRECT_REFUSED, ENGINE_CLOSED, INVALID_ARGUMENT.
   */
  static async prepare(engine: Engine, spec: TaskSpec, memory?: MemoryStore): Promise<Task> {
    return new Task(await nativeAsync(() => binding.prepareTask(engine.inner, spec, memory?.inner)));
  }

  /** Resolves when every lane has left and every file is closed; rejects when a lane panicked or the engine closed. */
  ended(): Promise<void> {
    return nativeAsync(() => this.inner.ended());
  }

  /** What fell back so far, for people. */
  get notes(): string[] {
    return native(() => this.inner.notes());
  }

  /** Lets the lanes begin at this instant of the monotonic clock. */
  beginAt(ns: bigint): void {
    native(() => this.inner.beginAt(ns));
  }

  /** Lanes submit nothing after this instant of the monotonic clock, until it is moved. */
  setDeadline(ns: bigint): void {
    native(() => this.inner.setDeadline(ns));
  }

  /** Its share of the rate from now on, or from the start on; its lanes begin nothing without one. */
  shareRate(share: Share): void {
    native(() => this.inner.shareRate(share));
  }

  /**
   * The task's time is over at this instant of the monotonic clock: lanes submit nothing more, what is in flight comes back
   * and counts, and all ranges drain, also later ones. It may be moved until it has come.
   */
  endAt(ns: bigint): void {
    native(() => this.inner.endAt(ns));
  }

  /** What is submitted before this instant of the monotonic clock is told apart and not timed. */
  countFrom(ns: bigint): void {
    native(() => this.inner.countFrom(ns));
  }

  /**
   * Adds units [first, end) under an id of the caller's, with what is known of their shards where blocks were overwritten, and
   * what may have come late to them.
   */
  addRange(id: bigint, first: bigint, end: bigint, shards: ShardHistory[] = [], late: LateWrites[] = []): void {
    native(() => this.inner.addRange(id, first, end, shards, late));
  }

  /** Allows operations below these limits on the shards of a range, in order. */
  allow(id: bigint, limits: number[]): void {
    native(() => this.inner.allow(id, limits));
  }

  /** Takes a range back: nothing of it is begun any more. */
  fenceRange(id: bigint): void {
    native(() => this.inner.fenceRange(id));
  }

  /** Begins to make durable what was written; the snapshot tells when it is. */
  sync(): void {
    native(() => this.inner.sync());
  }

  /** Operations and bytes so far, at once: for callers that look at exact instants. */
  moved(): Moved {
    return native(() => this.inner.moved());
  }

  /** How often a lane ended a range, a sync or a close: when it has changed, a snapshot has news. Cheap to ask often. */
  get endedWork(): number {
    return native(() => this.inner.endedWork());
  }

  /**
   * Counters and progress, gathered on another thread. Snapshots come in the order in which they are asked for, and each
   * has what is new since the one before: none may be thrown away.
   * @throws SeedstormError QUEUE_FULL when far too many are asked for at once.
   */
  snapshot(): Promise<TaskSnapshot> {
    const taken = nativeAsync(() => this.inner.snapshot());
    // They are taken in order; but promises that another thread settles, one right after the other, may settle the other
    // way round here.
    const inOrder = this.#before.then(() => taken);
    this.#before = inOrder.catch(() => {});
    // Whoever waits for it in order hears of its error.
    taken.catch(() => {});
    return inOrder;
  }

  /** What it did beside the I/O, where it is on files; whole once it has ended. */
  get fileWork(): FileWork | undefined {
    return native(() => this.inner.fileWork()) ?? undefined;
  }

  /** No more ranges come. */
  finish(): void {
    native(() => this.inner.finish());
  }

  /** Lanes leave after the I/O in flight. */
  cancel(): void {
    native(() => this.inner.cancel());
  }
}
