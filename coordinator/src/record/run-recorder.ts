/**
 * Keeps the record of one run up to date: before a stage changes what is on the target, while it writes, and when it is over. A
 * record that cannot be written is told once, and ends no run. Must not know how stages work.
 */
import { asSeedstormError, type SeedstormError } from '@seedstorm/errors';
import { unixMs } from '../clock.js';
import { type Deed, IntervalMap, type Ledger } from '../ledger/index.js';
import type { ResolvedDataStage, ResolvedPlan } from '../plan/index.js';
import { makesData } from '../run/stage-plan.js';
import { type RecordHead, type RecordRanges, type RunRecord, recordVersion } from './run-record.js';
import type { RunRecords } from './run-records.js';

/** How often what is done is noted while a stage writes: so much is left out after the death of a coordinator. */
const noteMs = 2000;
/** Of the time, this part at most goes into noting, however long the record is. */
const shareOfTime = 0.02;
/** Ranges of a record; what is beyond them counts as not known. */
const maxRanges = 1_000_000;

/** What a run writes down of itself. */
export interface Recorded {
  readonly records: RunRecords;
  readonly software: string;
  /** The record of the earlier run that the plan is about. */
  readonly earlier?: RunRecord;
}

/** Units [first, end). */
interface Units {
  readonly first: number;
  readonly end: number;
}

/** The record of one run; of the earlier one, where the run is about its data. */
export class RunRecorder {
  #record: RunRecord | undefined;
  #failed = false;
  /** What is being written, one after the other. */
  #writing: Promise<void> = Promise.resolve();

  constructor(
    private readonly recorded: Recorded,
    private readonly startedUnixMs: number,
    /** Where agents that were lost may have left something else than the write of this generation. */
    private readonly late: (generation: number) => readonly Units[],
    /** Told of the first record that could not be written. */
    private readonly warn: (error: SeedstormError) => void,
  ) {
    this.#record = recorded.earlier;
  }

  /**
   * A stage is about to begin; `plan` is that of its round, `identity` what its block device is known by. Data that does not
   * outlive its agents is not recorded.
   */
  async begins(plan: ResolvedPlan, stage: ResolvedDataStage, identity: string): Promise<void> {
    if (makesData(stage.kind)) await this.#writeBegins(plan, stage, identity);
    if (stage.kind === 'rename') await this.#change({ doubt: 'renaming' });
    if (stage.kind === 'mixed' && stage.mix.writesOf65536 > 0) await this.#change({ doubt: 'overwritten' });
    // Nothing is removed from a device.
    if (stage.kind === 'delete' && plan.target.kind !== 'block') await this.#change({ state: 'deleting' });
  }

  /** A stage is over. `isWhole`: all that it was to do is done. It has no ledger when it ended before its start. */
  async ended(
    plan: ResolvedPlan,
    stage: ResolvedDataStage,
    ledger: Ledger | undefined,
    isWhole: boolean,
  ): Promise<void> {
    if (makesData(stage.kind))
      await (ledger === undefined ? this.#change({ state: 'kept' }) : this.#note(ledger, 'kept'));
    if (!isWhole) return;
    if (stage.kind === 'rename' && stage.nextNames !== undefined) await this.#renamed(stage.nextNames);
    if (stage.kind === 'delete' && plan.target.kind !== 'block') await this.#change({ state: 'deleted' });
  }

  async #writeBegins(plan: ResolvedPlan, { generation, names }: ResolvedDataStage, identity: string): Promise<void> {
    const { target } = plan;
    if (target.kind === 'null' || target.kind === 'memory') return;
    const { runId, name, content, layout, blockBytes, grainUnits, leaseUnits } = plan;
    const head: RecordHead = {
      format: 'seedstorm-run-record',
      version: recordVersion,
      runId,
      ...(name === undefined ? {} : { name }),
      software: this.recorded.software,
      startedUnixMs: this.startedUnixMs,
      updatedUnixMs: Date.now(),
      state: 'writing',
      content,
      layout: { ...layout, sizes: layout.sizes && [...layout.sizes] },
      target: targetOf(target),
      ...(identity === '' ? {} : { deviceIdentity: identity }),
      blockBytes,
      grainUnits,
      leaseUnits,
      generation,
      ...(names === undefined ? {} : { names }),
      unitsWritten: 0,
      unitsFailed: 0,
      unitsIndeterminate: 0,
    };
    const isFirst = this.#record === undefined;
    await this.#save({ head, ranges: { writers: [], ranges: [], indeterminate: [] } });
    if (isFirst) await this.recorded.records.prune().catch(() => {});
  }

  /** Notes now and then how far a write has come, until the function that this gives is called. */
  follow(ledger: () => Ledger | undefined): () => Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const plan = (afterMs: number): void => {
      timer = setTimeout(() => {
        const now = ledger();
        const began = performance.now();
        const noting = now === undefined ? Promise.resolve() : this.#note(now, 'writing');
        void noting.then(() => {
          if (timer !== undefined) plan(Math.max(noteMs, (performance.now() - began) / shareOfTime));
        });
      }, afterMs);
    };
    plan(noteMs);
    return async () => {
      clearTimeout(timer);
      timer = undefined;
      await this.#writing;
    };
  }

  /** All files have other names. */
  async #renamed(names: NonNullable<RecordHead['names']>): Promise<void> {
    if (this.#record?.head.doubt !== 'renaming') return;
    const { doubt: _, ...head } = this.#record.head;
    await this.#save({ ...this.#record, head: { ...head, names } });
  }

  async #note(ledger: Ledger, state: 'writing' | 'kept'): Promise<void> {
    const record = this.#record;
    if (record === undefined) return;
    const { target, generation } = record.head;
    const isDurable = target.kind === 's3' || target.sync !== 'never';
    const ranges = rangesOf(ledger, [...this.late(generation), ...(isDurable ? [] : ledger.allIndeterminate())]);
    const { failed, done } = ledger.coverage();
    const unitsIndeterminate = ranges.indeterminate.reduce((sum, [first, end]) => sum + end - first, 0);
    const counts = { unitsWritten: done, unitsFailed: failed, unitsIndeterminate };
    await this.#save({ head: { ...record.head, state, ...counts }, ranges });
  }

  async #change(what: Partial<Pick<RecordHead, 'state' | 'doubt'>>): Promise<void> {
    if (this.#record !== undefined) await this.#save({ ...this.#record, head: { ...this.#record.head, ...what } });
  }

  #save({ head, ranges }: RunRecord): Promise<void> {
    const record = { head: { ...head, updatedUnixMs: Date.now() }, ranges };
    this.#record = record;
    this.#writing = this.#writing.then(async () => {
      try {
        await this.recorded.records.write(record);
      } catch (error) {
        if (!this.#failed) this.warn(asSeedstormError(error));
        this.#failed = true;
      }
    });
    return this.#writing;
  }
}

/** Who did what, with times in ms since 1970; of that, nobody knows what is in the units `inDoubt`. */
function rangesOf(ledger: Ledger, inDoubt: readonly Units[]): RecordRanges {
  const deeds = ledger.deeds().slice(0, maxRanges);
  const indexes = new Map<string, number>();
  const writers: RecordRanges['writers'] = [];
  const indexOf = ({ agent, host }: Deed): number => {
    const key = JSON.stringify([agent, host]);
    const known = indexes.get(key);
    if (known !== undefined) return known;
    indexes.set(key, writers.length);
    return writers.push({ agent, host }) - 1;
  };
  const at = (monotonicMs: number): number => Math.max(0, Math.round(unixMs(monotonicMs)));
  const ranges = deeds.map((deed): RecordRanges['ranges'][number] => [
    deed.first,
    deed.end,
    indexOf(deed),
    at(deed.afterMs),
    at(Math.max(deed.afterMs, deed.beforeMs)),
  ]);
  const doubtful = new IntervalMap<true>();
  for (const { first, end } of inDoubt) doubtful.set(first, end, true);
  const indeterminate = deeds.flatMap((deed) => doubtful.slice(deed.first, deed.end));
  return { writers, ranges, indeterminate: indeterminate.map(({ first, end }) => [first, end]) };
}

function targetOf(target: Extract<ResolvedPlan['target'], { kind: 'file' | 'block' | 's3' }>): RecordHead['target'] {
  if (target.kind === 'file') return { ...target, paths: [...target.paths], runFolders: [...target.runFolders] };
  if (target.kind === 's3') return { ...target, endpoints: [...target.endpoints] };
  // What the plan confirmed of a device is no part of where the data is.
  const { identity: _, ...place } = target;
  return place;
}
