/** A plan with every default filled in: all that coordinator, agents and engine need to know of it. */
import type { sweepKeys } from './choices.js';
import type { Layout } from './geometry.js';
import type { TreeNames } from './geometry-tree.js';
import type {
  Codec,
  ErrorKind,
  IoEngine,
  MixedOrder,
  NetworkDirection,
  NetworkPattern,
  Scope,
  StageKind,
  SyncMode,
} from './schema.js';
import type { Knee } from './schema-sweep.js';
import type { Rate } from './units.js';

/** What every byte of the run is a function of. */
export interface ResolvedContent {
  readonly seed: bigint;
  readonly namespace: string;
  readonly unitBytes: number;
  /** Dedup ratio × 1000; 1000 is none. */
  readonly dedupMilli: number;
  /** The dedup window is 2^windowBits units. */
  readonly windowBits: number;
  /** Compression ratio × 1000; 1000 is none. */
  readonly compressMilli: number;
  readonly codec: Codec;
  readonly recordBytes: number;
}

/** Where the data goes. */
export type ResolvedTarget =
  | { readonly kind: 'null' }
  | {
      readonly kind: 'memory';
      /** The most that one agent may hold; absent when only its free memory limits it. */
      readonly limitBytes?: number;
    }
  | {
      readonly kind: 'file';
      /** The existing folders that the plan names; absolute. */
      readonly paths: readonly string[];
      /** The folder in each of them that belongs to this run alone; made by it, and removed with it. */
      readonly runFolders: readonly string[];
      readonly scope: Scope;
      /** Whether another run may use the target at the same time. */
      readonly shareTarget: boolean;
      readonly direct: boolean | 'auto';
      readonly sync: SyncMode;
      readonly engine: IoEngine;
      readonly preallocate: boolean | 'auto';
    }
  | {
      readonly kind: 'block';
      /** The device's path; absolute. */
      readonly device: string;
      /** What the plan says that the device is; all that is on it may then be lost. */
      readonly identity?: string;
      /** Where the part begins that the run uses. */
      readonly offsetBytes: number;
      /** The length of that part; absent when it ends with the device. */
      readonly sizeBytes?: number;
      readonly sync: SyncMode;
      readonly engine: IoEngine;
    }
  | {
      readonly kind: 's3';
      readonly endpoints: readonly string[];
      readonly bucket: string;
      /** What all keys begin with, before the run id; may be empty. */
      readonly prefix: string;
      /** Absent when each agent's environment or profile says it. */
      readonly region?: string;
      readonly style: 'path' | 'virtual';
      /** A PEM file on each agent; absolute. */
      readonly ca?: string;
      readonly signing: 'signed' | 'unsigned';
      /** Attempts in all at a request. */
      readonly attempts: number;
      /** Wait before the second attempt. */
      readonly backoffMs: number;
      /** After this long an attempt is given up. */
      readonly timeoutMs: number;
      /** Whether another run may use the target at the same time. */
      readonly shareTarget: boolean;
    };

/** A rate that all agents together keep. */
export interface ResolvedRate extends Rate {
  /** Whether the instants of operations lie evenly, or at random. */
  readonly arrivals: 'constant' | 'poisson';
}

interface StageOf<K extends Exclude<StageKind, 'network'>> extends ResolvedTime {
  readonly kind: K;
  /** Wait before the stage begins. */
  readonly delayMs: number;
  /**
   * Counts the write stages before this one since the data was last deleted: a write stage makes that generation;
   * read, verify and delete find the one that the last write stage made.
   */
  readonly generation: number;
  /** Whether each agent empties its page cache before it; absent when not. */
  readonly dropCaches?: true | 'auto';
  /** The rate that it keeps; absent: as fast as the storage takes it. */
  readonly rate?: ResolvedRate;
  /** Keeps the rate of the sweep's point; how its instants lie. */
  readonly sweptRate?: ResolvedRate['arrivals'];
  /** What the files of a tree are called before it. */
  readonly names?: TreeNames;
  /** What a rename calls them; a delete removes what has either name. */
  readonly nextNames?: TreeNames;
}

/** What of a stage goes by time. */
export interface ResolvedTime {
  /** How long it goes on at most; absent: until every unit is done. */
  readonly durationMs?: number;
  /** What begins before this does not count; absent: all counts. */
  readonly rampMs?: number;
  /** It ends when it is as stable as this, and at the latest after `durationMs`. */
  readonly until?: Stability;
}

/** When a stage is stable. */
export interface Stability {
  /** The greatest standard deviation of the throughput of a second, over the mean. */
  readonly variation: number;
  /** Over how long. */
  readonly windowMs: number;
}

/** What a mixed stage does. */
export interface ResolvedMix {
  /** Of 2^16 operations, so many are writes. */
  readonly writesOf65536: number;
  /** Bytes of each operation. */
  readonly blockBytes: number;
  readonly order: MixedOrder;
  /** Blocks from one operation to the next in a strided order, else 0. */
  readonly strideBlocks: number;
  /** × 1000 in a zipfian order, else 0. */
  readonly thetaMilli: number;
  /** Operations on all of the data; by time, of each round. */
  readonly operations: number;
}

/** A mixed stage: it reads and overwrites what the last write stage, and mixed stages since, wrote. */
export interface ResolvedMixedStage extends StageOf<'mixed'> {
  readonly mix: ResolvedMix;
}

type WholeStage = Exclude<StageKind, 'network' | 'mixed'>;

/** A stage that goes by seed ranges. */
export type ResolvedDataStage = { [K in WholeStage]: StageOf<K> }[WholeStage] | ResolvedMixedStage;

/** A network stage: by time, and without data. */
export interface ResolvedNetworkStage {
  readonly kind: 'network';
  /** Wait before the stage begins. */
  readonly delayMs: number;
  readonly durationMs: number;
  /** Absent: all-to-all, or coordinator when there is one agent only. */
  readonly pattern?: NetworkPattern;
  readonly direction: NetworkDirection;
  readonly blockBytes: number;
  /** Connections that each lane sends on, at least. */
  readonly streams: number;
}

/** How many I/O errors each stage lets pass, over all agents. */
export interface ErrorPolicy {
  /** By kind; none of those that are absent. */
  readonly ofKind: Readonly<Partial<Record<ErrorKind, number>>>;
  /** Of all kinds together; 0: the first one ends the stage. */
  readonly inAll: number;
}

/** One stage. */
export type ResolvedStage = ResolvedDataStage | ResolvedNetworkStage;

/** A value of each key that a plan sweeps over. */
export type SweepValues = {
  readonly [K in (typeof sweepKeys)[number]]?: K extends 'rate' ? Rate : number;
};

/** One combination of the values that a plan sweeps over, and what follows from it. */
export interface SweepPoint {
  readonly values: SweepValues;
  readonly layout: Layout;
  readonly blockBytes: number;
  readonly grainUnits: number;
  readonly leaseUnits: number;
}

/** A plan with every default filled in. */
export interface ResolvedPlan {
  readonly runId: string;
  /** The earlier run whose data it is about; absent where the run makes its own. */
  readonly earlier?: { readonly runId: string; readonly startedUnixMs: number };
  readonly name?: string;
  readonly content: ResolvedContent;
  readonly layout: Layout;
  readonly target: ResolvedTarget;
  /** Bytes in one I/O. */
  readonly blockBytes: number;
  /** Leases begin and end on multiples of this many units. */
  readonly grainUnits: number;
  /** Units in one lease under `assign: dynamic`; a multiple of `grainUnits`. */
  readonly leaseUnits: number;
  /** Units of a shard, from each object's beginning on; absent where no stage overwrites single blocks. */
  readonly shardUnits?: number;
  readonly assign: 'dynamic' | 'static';
  /** The most lanes that an agent uses, as the plan says; absent when it does not say. */
  readonly lanesPerAgent?: number;
  /** The most lanes that an agent uses in stages that go to storage, where the plan does not say. */
  readonly storageLanes: number;
  /** Blocks that each lane keeps in flight. */
  readonly queueDepth: number;
  readonly agentsMinimum: number;
  readonly leaseMs: number;
  readonly settleTimeoutMs: number;
  readonly errors: ErrorPolicy;
  /** Whether agents measure how fast they deal with the data without storage. */
  readonly headroom: boolean;
  /** One round through the stages; see `stagesOfRound` for those of further rounds. */
  readonly stages: readonly ResolvedStage[];
  /** How often the stages are done, at each point. */
  readonly repeat: number;
  /** The points of the sweep; none without one. */
  readonly points: readonly SweepPoint[];
  /** What latency must stay below at the knee of the sweep; absent: nothing. */
  readonly knee?: Knee;
  /** What was rounded or may surprise: sentences for the user. */
  readonly notes: readonly string[];
}

/** The run that the data on the target is called by: this one, or the earlier one that it is about. */
export function dataRunOf({ runId, earlier }: Pick<ResolvedPlan, 'runId' | 'earlier'>): string {
  return earlier?.runId ?? runId;
}

/** The resolved plan with the values of one of its points. */
export function planAt(plan: ResolvedPlan, { values, ...geometry }: SweepPoint): ResolvedPlan {
  const { lanesPerAgent = plan.lanesPerAgent, queueDepth = plan.queueDepth } = values;
  const stages = plan.stages.map((stage) => atRate(stage, values.rate));
  return { ...plan, ...geometry, ...(lanesPerAgent === undefined ? {} : { lanesPerAgent }), queueDepth, stages };
}

/** The stage with the rate of a point, if it is one that keeps it. */
function atRate(stage: ResolvedStage, rate: Rate | undefined): ResolvedStage {
  if (rate === undefined || stage.kind === 'network' || stage.sweptRate === undefined) return stage;
  return { ...stage, rate: { ...rate, arrivals: stage.sweptRate } };
}

/** A resolved plan as plain JSON; the seed is a decimal string, since JSON numbers lose digits above 2^53. */
export type ResolvedPlanJson = Omit<ResolvedPlan, 'content'> & {
  readonly content: Omit<ResolvedContent, 'seed'> & { readonly seed: string };
};

/** The resolved plan as plain JSON. */
export function resolvedPlanToJson(plan: ResolvedPlan): ResolvedPlanJson {
  return { ...plan, content: { ...plan.content, seed: String(plan.content.seed) } };
}

/** The resolved plan of what `resolvedPlanToJson` made. */
export function resolvedPlanFromJson(json: ResolvedPlanJson): ResolvedPlan {
  return { ...json, content: { ...json.content, seed: BigInt(json.content.seed) } };
}
