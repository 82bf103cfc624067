/**
 * Fills in every default of a plan about the data of an earlier run, with what that run's record says of the data. Pure: it
 * reads no record itself.
 */

import { isRevisiting } from './checks-revisit.js';
import { defaults } from './choices.js';
import type { TreeNames } from './geometry-tree.js';
import { resolveConduct, resolveNetwork, resolveRate, resolveTime } from './resolve.js';
import type { ResolvedPlan, ResolvedStage } from './resolved.js';
import type { RevisitPlan } from './schema.js';

/** What must be known of a run's data to find it and to know what it must hold. */
export interface EarlierData
  extends Pick<ResolvedPlan, 'content' | 'layout' | 'target' | 'blockBytes' | 'grainUnits' | 'leaseUnits'> {
  readonly runId: string;
  readonly startedUnixMs: number;
  /** Of the last write. */
  readonly generation: number;
  /** What the files of a tree are called. */
  readonly names?: TreeNames;
}

/** The plan of run `runId` with every default filled in. It takes what `parseAnyPlan` returned, and never fails for such a plan. */
export function resolveRevisit(plan: RevisitPlan, runId: string, earlier: EarlierData): ResolvedPlan {
  const { startedUnixMs, content, layout, target, blockBytes, grainUnits, leaseUnits } = earlier;
  const writtenAt = new Date(startedUnixMs).toISOString();
  const notes = [`the data is that of run ${earlier.runId} of ${writtenAt}, generation ${earlier.generation}`];
  if ('sync' in target && target.sync === 'never') {
    notes.push('it was written with sync: never: what a power cut took of it was never said to be durable');
  }
  if (target.kind === 'block' && plan.stages.some(({ kind }) => kind === 'delete')) {
    notes.push('delete removes nothing from a block device: what was written stays there');
  }
  return {
    runId,
    earlier: { runId: earlier.runId, startedUnixMs },
    content,
    layout,
    target,
    blockBytes,
    grainUnits,
    leaseUnits,
    ...resolveConduct(plan, layout, target),
    stages: plan.stages.flatMap((stage) => resolveStage(stage, earlier)),
    points: [],
    notes,
  };
}

function resolveStage(
  { kind, delay, time, dropCaches, network, ...typed }: RevisitPlan['stages'][number],
  { generation, names }: EarlierData,
): ResolvedStage[] {
  const delayMs = delay ?? defaults.delayMs;
  if (kind === 'network') return [resolveNetwork(delayMs, network)];
  // No other stage passes the checks.
  if (!isRevisiting(kind)) return [];
  const drops = dropCaches === undefined || dropCaches === false ? {} : { dropCaches };
  const named = names === undefined ? {} : { names };
  return [{ kind, delayMs, generation, ...resolveTime(time ?? {}), ...drops, ...named, ...resolveRate(typed) }];
}
