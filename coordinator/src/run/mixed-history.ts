/**
 * What mixed stages did to the data of a run, shard by shard: so that every later stage knows the generation of each block by
 * replaying the operations, and nothing is stored of blocks. Kept in memory. Pure: no I/O, no clock.
 */
import { SeedstormError } from '@seedstorm/errors';
import type { LeaseProgress, MixedPattern, Overwrites, ShardHistory } from '@seedstorm/proto';
import type { ResolvedMix } from '../plan/index.js';

/** Operations that a holder may begin before it has asked for more. */
const firstAhead = 4096;
/** The most operations of one shard; beyond, replaying it takes too long. */
const maxOperations = 2 ** 33;

/** Units [first, end). */
interface Units {
  readonly first: number;
  readonly end: number;
}

/** Units that a lease is about. */
interface Leased extends Units {
  readonly id: number;
}

/** How the run's data is cut into shards. */
export interface ShardLayout {
  readonly units: number;
  readonly unitsPerObject: number;
  readonly shardUnits: number;
}

/** What one mixed stage did. */
export class MixedLayer {
  /** Whether a stage wrote every unit after it. */
  rewritten = false;
  /** Of each shard: all operations below are done and durable. */
  readonly done: Float64Array;
  /** Of each shard: none at or behind was begun. */
  readonly reserved: Float64Array;
  /** The lease under which each shard was last given out. */
  readonly lease: Float64Array;
  /** Units of shards of which an operation failed: nobody knows what they hold. */
  readonly failed: Units[] = [];

  constructor(
    readonly pattern: MixedPattern,
    /** Operations on all of the data, in each round. */
    readonly operations: number,
    shards: number,
  ) {
    this.done = new Float64Array(shards);
    this.reserved = new Float64Array(shards);
    this.lease = new Float64Array(shards);
  }

  /** Operations that are done, each once, whoever did it. */
  get doneOperations(): number {
    return this.done.reduce((sum, done) => sum + done, 0);
  }

  /** Operations that may have been done and of which nobody knows. */
  get operationsInDoubt(): number {
    return this.reserved.reduce((sum, reserved, shard) => sum + reserved - (this.done[shard] ?? 0), 0);
  }
}

/** What one stage does with the history: tells agents of shards, and takes in how far they come. */
export class MixedShards {
  constructor(
    private readonly history: MixedHistory,
    /** What the stage does itself, if it is mixed. */
    readonly own: MixedLayer | undefined,
  ) {}

  /** See {@link MixedHistory.overwrites}. */
  get overwrites(): Overwrites {
    return this.history.overwrites(this.own);
  }

  /** See {@link MixedHistory.grant}. */
  grant(lease: Leased, round: number): ShardHistory[] {
    return this.history.grant(lease, this.own, round);
  }

  /** See {@link MixedHistory.report}. */
  report(lease: Leased, progress: LeaseProgress, isFenced: boolean): void {
    if (this.own !== undefined) this.history.report(lease, this.own, progress, isFenced);
  }
}

/** The mixed stages of a run since its data was made. */
export class MixedHistory {
  #layers: MixedLayer[] = [];
  readonly #perObject: number;
  readonly #count: number;
  /** Stages that began so far, also of data that was deleted. */
  #began = 0;

  constructor(private readonly layout: ShardLayout) {
    this.#perObject = Math.ceil(layout.unitsPerObject / layout.shardUnits);
    this.#count = this.#shardOf(layout.units - 1) + 1;
  }

  /** A mixed stage begins; what it does is in the layer that this gives. */
  begin(mix: ResolvedMix): MixedLayer {
    const { writesOf65536, blockBytes, order, strideBlocks, thetaMilli, operations } = mix;
    const bytes = { blockBytes: BigInt(blockBytes), strideBlocks: BigInt(strideBlocks) };
    const pattern = { stage: this.#began, writesOf65536, order, ...bytes, thetaMilli };
    this.#began += 1;
    const layer = new MixedLayer(pattern, operations, this.#count);
    this.#layers.push(layer);
    return layer;
  }

  /** A stage wrote every unit: what was overwritten is gone, and its generations are not used again. */
  rewritten(): void {
    const last = this.#layers.at(-1);
    if (last !== undefined) last.rewritten = true;
  }

  /** The data was deleted. */
  deleted(): void {
    this.#layers = [];
  }

  /** Whether blocks were overwritten since every unit was last written, so that the data has no exact dedup ratio. */
  get hasOverwrites(): boolean {
    return this.#layers.some((layer, at) => writes(layer) && !this.#layers.slice(at).some((later) => later.rewritten));
  }

  /** Units of which nobody knows what they hold, because an operation on them failed. */
  get failed(): readonly Units[] {
    const lastRewritten = this.#layers.findLastIndex(({ rewritten }) => rewritten);
    return this.#layers.slice(lastRewritten + 1).flatMap(({ failed }) => failed);
  }

  /** For a stage: `own` is the layer of one that is mixed. Undefined where nothing was overwritten, nor is to be. */
  shards(own: MixedLayer | undefined): MixedShards | undefined {
    return own === undefined && !this.hasOverwrites ? undefined : new MixedShards(this, own);
  }

  /** What an agent has to know for a stage; `own` is the mixed stage's own layer. */
  overwrites(own: MixedLayer | undefined): Overwrites {
    const earlier = this.#earlier(own);
    const layers = earlier.map(({ pattern, rewritten }) => ({ pattern, rewritten }));
    return { shardUnits: BigInt(this.layout.shardUnits), layers, own: own?.pattern };
  }

  /**
   * What an agent has to know of the shards of a lease. Of a mixed stage's own layer, it may then begin some operations of
   * round `round`, which count as reserved from now on.
   */
  grant(lease: Leased, own: MixedLayer | undefined, round: number): ShardHistory[] {
    const earlier = this.#earlier(own);
    return this.#shardsOf(lease).map((shard) => {
      const layers = earlier.flatMap(({ done, reserved }) => [BigInt(done[shard] ?? 0), BigInt(reserved[shard] ?? 0)]);
      if (own === undefined) return { layers, done: 0n, reserved: 0n, limit: 0n, operations: 0n };
      const operations = this.#operationsOf(own, shard) * BigInt(round + 1);
      const done = own.done[shard] ?? 0;
      const reserved = own.reserved[shard] ?? 0;
      const limit = Math.max(reserved, Math.min(done + firstAhead, Number(operations)));
      own.reserved[shard] = limit;
      own.lease[shard] = lease.id;
      return { layers, done: BigInt(done), reserved: BigInt(reserved), limit: BigInt(limit), operations };
    });
  }

  /**
   * Takes how far the shards of a lease have come. What a holder that was fenced says is done does not count, but what it may
   * have begun does.
   * @throws SeedstormError MESSAGE_INVALID when it cannot be true; nothing is changed.
   */
  report(lease: Leased, own: MixedLayer, progress: LeaseProgress, isFenced: boolean): void {
    if (progress.shards.length === 0) return;
    const shards = this.#shardsOf(lease);
    const invalid = (what: string): SeedstormError =>
      new SeedstormError({ code: 'SEEDSTORM_E_MESSAGE_INVALID', what: `an agent tells of ${what}` });
    if (progress.shards.length !== shards.length)
      throw invalid(`${progress.shards.length} shards of a lease that has ${shards.length}`);
    for (const [at, shard] of shards.entries()) {
      const { done = 0n, reserved = 0n } = progress.shards[at] ?? {};
      const begun = own.reserved[shard] ?? 0;
      if (done > reserved || reserved > maxOperations || done > BigInt(begun))
        throw invalid(`${done} operations done and ${reserved} reserved, of ${begun} that it might begin`);
    }
    for (const [at, shard] of shards.entries()) {
      const { done = 0n, reserved = 0n } = progress.shards[at] ?? {};
      const known = own.reserved[shard] ?? 0;
      if (isFenced) {
        own.reserved[shard] = Math.max(known, Number(reserved));
        continue;
      }
      own.done[shard] = Math.max(own.done[shard] ?? 0, Number(done));
      // All may be done, and the next holder at work, before the files are closed and this one says that it has ended.
      const isLast = progress.ended && own.lease[shard] === lease.id;
      own.reserved[shard] = isLast
        ? Math.max(own.done[shard] ?? 0, Number(reserved))
        : Math.max(known, Number(reserved));
    }
  }

  #earlier(own: MixedLayer | undefined): readonly MixedLayer[] {
    return own === undefined ? this.#layers : this.#layers.slice(0, this.#layers.indexOf(own));
  }

  /** The operations of a round that are a shard's: its share of the data, and all shares together are all operations. */
  #operationsOf({ operations }: MixedLayer, shard: number): bigint {
    const { units } = this.layout;
    const before = (at: number): bigint =>
      (BigInt(operations) * BigInt(at === this.#count ? units : this.#firstUnit(at))) / BigInt(units);
    return before(shard + 1) - before(shard);
  }

  #shardOf(unit: number): number {
    const { unitsPerObject, shardUnits } = this.layout;
    const object = Math.floor(unit / unitsPerObject);
    return object * this.#perObject + Math.floor((unit - object * unitsPerObject) / shardUnits);
  }

  #firstUnit(shard: number): number {
    const { unitsPerObject, shardUnits } = this.layout;
    const object = Math.floor(shard / this.#perObject);
    return object * unitsPerObject + (shard - object * this.#perObject) * shardUnits;
  }

  #shardsOf({ first, end }: Units): number[] {
    const from = this.#shardOf(first);
    return Array.from({ length: this.#shardOf(end - 1) - from + 1 }, (_, at) => from + at);
  }
}

function writes({ pattern }: MixedLayer): boolean {
  return pattern.writesOf65536 > 0;
}
