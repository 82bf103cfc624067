/**
 * Writes of agents that were lost, and waited for in vain: they may still arrive, whatever others wrote there meanwhile. An old
 * generation that is found in such a place is indeterminate, and no fault. No I/O, no clock.
 */
import type { Finding, LateWrites as WireLateWrites } from '@seedstorm/proto';
import type { LostUnits } from '../ledger/index.js';
import { count } from './numbers.js';

/** Blocks that are overwritten one by one have the generations from this one on; writes of all units have those below. */
const firstOverwrite = 1000;
/** The generation behind the last one of an overwrite. */
const endOverwrite = 65_000;

/** What may be found, besides what should be there. */
export interface LateWrite extends LostUnits {
  readonly firstGeneration: number;
  /** Behind the last one. */
  readonly endGeneration: number;
}

/** Whoever knows which units lost agents had: a ledger, or the passes of a stage. */
interface Source {
  allIndeterminate(): readonly LostUnits[];
  /** Whether nobody is waited for any more. */
  isSettled(): boolean;
}

/** A stage that wrote. */
interface Written {
  readonly source: Source;
  /** That of its own writes; of a mixed stage, that of the last write of all units. */
  readonly generation: number;
  readonly isMixed: boolean;
  /** Whether done meant durable. */
  readonly isDurable: boolean;
}

/** The late writes that a run has to reckon with. */
export class LateWrites {
  #written: Written[] = [];

  /** A stage wrote all units, or was to. */
  wrote(source: Source, generation: number, isDurable: boolean): void {
    this.#add({ source, generation, isMixed: false, isDurable });
  }

  /** A stage overwrites single blocks of data of `generation`; what it lacks counts from now on. */
  mixed(source: Source, generation: number, isDurable: boolean): void {
    this.#add({ source, generation, isMixed: true, isDurable });
  }

  /** Of the stages before, those count on that somebody was lost in, or may turn out to have been. */
  #add(written: Written): void {
    const counts = ({ source }: Written): boolean => !source.isSettled() || source.allIndeterminate().length > 0;
    this.#written = [...this.#written.filter(counts), written];
  }

  /** The data is gone. */
  removed(): void {
    this.#written = [];
  }

  /** What may be found where all units were last written with `generation`. */
  expecting(generation: number): LateWrite[] {
    return this.#written.flatMap((written) => {
      const found = generationsOf(written, generation);
      return found.length === 0
        ? []
        : written.source
            .allIndeterminate()
            .flatMap((lost) =>
              found.map(([firstGeneration, endGeneration]) => ({ ...lost, firstGeneration, endGeneration })),
            );
    });
  }
}

/** The generations [first, end) that the lost agents of a stage may have left behind. */
function generationsOf(
  { generation: own, isMixed, isDurable }: Written,
  expected: number,
): (readonly [number, number])[] {
  const overwrites = [firstOverwrite, endOverwrite] as const;
  // What was not durable may never have reached the storage: then what was there before is there still.
  if (isMixed) return isDurable ? [overwrites] : [[0, own + 1], overwrites];
  if (expected > own) return [[own, own + 1]];
  // A late write of the generation that should be there is the right one.
  return isDurable ? [] : own > 0 ? [[0, own], overwrites] : [overwrites];
}

/** Those of them that concern a lease, on the wire. */
export function lateMessages(
  late: readonly LateWrite[],
  lease: { readonly first: number; readonly end: number },
): WireLateWrites[] {
  return late
    .filter(({ first, end }) => first < lease.end && end > lease.first)
    .map(({ first, end, firstGeneration, endGeneration }) => ({
      units: { first: BigInt(Math.max(first, lease.first)), end: BigInt(Math.min(end, lease.end)) },
      firstGeneration,
      endGeneration,
    }));
}

/** The agents that may have written late what was found; none where nobody was lost there. */
export function lateWritersOf(late: readonly LateWrite[], found: Finding): string[] {
  const unit = count(found.unit, 'the unit of a finding');
  const agents = late.filter(({ first, end }) => first <= unit && unit < end).map(({ agent }) => agent);
  return [...new Set(agents)].sort();
}
