/**
 * What of a stage's work counts, and over how long. By amount it is the units that the ledger holds, each once, from the common
 * start. Where a stage goes by time or has a ramp, it is the operations that were acknowledged and began after the ramp, of all
 * passes, without work that was done twice.
 */
import type { StabilityResult, TimedResult } from '@seedstorm/proto';
import type { Coverage } from '../ledger/index.js';
import { bytesOfUnits } from '../plan/index.js';
import { latest } from './numbers.js';
import type { Participant } from './participant.js';
import type { Stage } from './stage.js';
import { movesBytes } from './stage-plan.js';

/** What counts. */
export interface Counted {
  readonly bytes: number;
  readonly operations: number;
  /** From the start, or the end of the ramp, to the last completion, final sync and close included. */
  readonly ns: bigint;
}

/** Bytes that a stage moves with so many units; those that work on names move none. */
export function bytesOf({ plan }: Stage, units: number): number {
  return movesBytes(plan.name) ? Number(bytesOfUnits(plan.layout, units)) : 0;
}

/** Whether a stage goes by time or has a ramp. */
export function isTimed({ plan }: Stage): boolean {
  return plan.durationMs !== undefined || plan.rampMs > 0;
}

/** What of a stage counts. */
export function countedOf(stage: Stage, coverage: Coverage | undefined): Counted {
  const all = [...stage.participants.values()];
  const ns = latest(stage.countsFromNs, lastDoneOf(stage)) - stage.countsFromNs;
  if (!isTimed(stage)) {
    const bytes = mixedBytes(stage) ?? bytesOf(stage, coverage?.done ?? 0);
    return { bytes, operations: operationsThatCount(stage, all, bytes, coverage?.done ?? 0), ns };
  }
  const moved = sum(all, 'bytes') - sum(all, 'rampBytes');
  const mixed = mixedBytes(stage);
  const rework = mixed === undefined ? bytesOf(stage, coverage?.rework ?? 0) : Math.max(0, sum(all, 'bytes') - mixed);
  const bytes = Math.max(0, moved - rework);
  const operations = sum(all, 'operations') - sum(all, 'rampOperations');
  return { bytes, operations: moved > 0 ? operations * (bytes / moved) : operations, ns };
}

/** Bytes of the operations of a mixed stage, each once, whoever did it; undefined for any other stage. */
export function mixedBytes({ mixed }: Stage): number | undefined {
  const own = mixed?.own;
  return own && own.doneOperations * Number(own.pattern.blockBytes);
}

/** The part of an agent in what counts, in bytes. */
export function bytesOfAgent(
  stage: Stage,
  incarnations: readonly Participant[],
  coverage: Coverage | undefined,
): number {
  const [first] = incarnations;
  const own = first === undefined ? undefined : coverage?.agents.get(first.name);
  const mixed = mixedBytes(stage);
  if (mixed !== undefined) {
    const all = sum([...stage.participants.values()], 'bytes');
    return all > 0 ? countedOf(stage, coverage).bytes * (sum(incarnations, 'bytes') / all) : 0;
  }
  if (!isTimed(stage)) return bytesOf(stage, own?.done ?? 0);
  const moved = sum(incarnations, 'bytes') - sum(incarnations, 'rampBytes');
  return Math.max(0, moved - bytesOf(stage, own?.rework ?? 0));
}

/** The last agent's last completion, on the coordinator's clock. */
export function lastDoneOf({ startNs, participants }: Stage): bigint {
  const ends = [...participants.values()].flatMap(({ lastDoneNs }) => (lastDoneNs === undefined ? [] : [lastDoneNs]));
  return latest(startNs, ...ends);
}

/** What a stage that goes by time says beside the rest. */
export function timedResult(stage: Stage, coverage: Coverage | undefined, counted: Counted): TimedResult | undefined {
  if (!isTimed(stage)) return undefined;
  const { durationMs = 0 } = stage.plan;
  const inPass = coverage === undefined ? 0 : coverage.units - coverage.leftOut;
  return {
    plannedMs: BigInt(durationMs),
    rampNs: stage.countsFromNs - stage.startNs,
    countedNs: counted.ns,
    operations: BigInt(Math.round(counted.operations)),
    passes: inPass > 0 ? timesThrough(stage, coverage?.done ?? 0, inPass) : 0,
    wholePasses: BigInt(stage.passes?.whole ?? 0),
    endedEarly: durationMs > 0 && !stage.ranItsTime,
    stability: stabilityResult(stage),
  };
}

/** How often the data was gone through; a mixed stage goes through a part of its size in each round. */
function timesThrough(stage: Stage, done: number, inPass: number): number {
  const mixed = mixedBytes(stage);
  return mixed === undefined ? done / inPass : mixed / bytesOf(stage, inPass);
}

function stabilityResult(stage: Stage): StabilityResult | undefined {
  const { stability } = stage;
  if (stability === undefined) return undefined;
  const { wanted, windowMs } = stability;
  return {
    reached: stability.sinceNs !== undefined,
    afterNs: (stability.sinceNs ?? latest(stage.startNs, stage.overNs ?? 0n)) - stage.startNs,
    variation: stability.variation ?? 0,
    wanted,
    windowMs: BigInt(windowMs),
  };
}

/** Operations of the bytes that count: agents' counters include rework, and rework is no throughput. */
function operationsThatCount({ plan }: Stage, all: readonly Participant[], bytes: number, done: number): number {
  // One operation for each object, whoever did it, and whether or not it lived to report it.
  if (['stat', 'create', 'rename'].includes(plan.name)) return Math.floor(done / plan.layout.unitsPerObject);
  const operations = sum(all, 'operations');
  const moved = sum(all, 'bytes');
  return moved > bytes ? operations * (bytes / moved) : operations;
}

function sum(all: readonly Participant[], counter: 'bytes' | 'operations' | 'rampBytes' | 'rampOperations'): number {
  return all.reduce((total, { totals }) => total + totals.sum(counter), 0);
}
