/** A plan with every default filled in: all that coordinator, agents and engine need to know of it. */
import type { Layout } from './geometry.js';
import type { Codec, StageKind, SyncMode } from './schema.js';

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
      /** The existing folder that the plan names; absolute. */
      readonly path: string;
      /** The folder in `path` that belongs to this run alone; made by it, and removed with it. */
      readonly runFolder: string;
      readonly direct: boolean | 'auto';
      readonly sync: SyncMode;
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
    };

interface StageOf<K extends StageKind> {
  readonly kind: K;
  /** Wait before the stage begins. */
  readonly delayMs: number;
  /**
   * Counts the write stages before this one since the data was last deleted: a write stage makes that generation;
   * read, verify and delete find the one that the last write stage made.
   */
  readonly generation: number;
}

/** One stage. */
export type ResolvedStage = { [K in StageKind]: StageOf<K> }[StageKind];

/** A plan with every default filled in. */
export interface ResolvedPlan {
  readonly runId: string;
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
  readonly assign: 'dynamic' | 'static';
  /** The most lanes that an agent uses; absent when it uses all that it has. */
  readonly lanesPerAgent?: number;
  readonly agentsMinimum: number;
  readonly leaseMs: number;
  readonly settleTimeoutMs: number;
  readonly stages: readonly ResolvedStage[];
  /** What was rounded or may surprise: sentences for the user. */
  readonly notes: readonly string[];
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
