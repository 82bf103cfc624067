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
  /** Whether it may be there because what was to replace it never became durable. */
  readonly isUnsynced: boolean;
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
    const lastMixed = this.#written.findLastIndex(({ isMixed }) => isMixed);
    return this.#written.flatMap((written, at) => {
      const found = foundAfter(written, generation, at < lastMixed);
      if (found.length === 0) return [];
      return written.source.allIndeterminate().flatMap((lost) => found.map((what) => ({ ...lost, ...what })));
    });
  }
}

type What = Omit<LateWrite, keyof LostUnits>;

/** What the lost agents of a stage may have left behind. `isOverwritten`: in part, by a mixed stage after it. */
function foundAfter(
  { generation: own, isMixed, isDurable }: Written,
  expected: number,
  isOverwritten: boolean,
): What[] {
  const of = (firstGeneration: number, endGeneration: number, isUnsynced: boolean): What[] =>
    firstGeneration < endGeneration ? [{ firstGeneration, endGeneration, isUnsynced }] : [];
  const overwrites = of(firstOverwrite, endOverwrite, false);
  // What was not durable may never have reached the storage: then what was there before is there still.
  if (isMixed) return isDurable ? overwrites : [...of(0, own + 1, true), ...overwrites];
  // A late write of the generation that should be there is the right one, but in blocks that were overwritten since.
  const late = expected > own || isOverwritten ? of(own, own + 1, false) : [];
  if (expected > own || isDurable) return late;
  return [...late, ...of(0, own, true), ...of(firstOverwrite, endOverwrite, true)];
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

/** Why an old generation may be there, and by whom; undefined where nobody was lost. */
export function causeOf(late: readonly LateWrite[], found: Finding): string | undefined {
  const unit = count(found.unit, 'the unit of a finding');
  const there = late.filter(({ first, end }) => first <= unit && unit < end);
  const agents = (isUnsynced: boolean): string => {
    const names = there.filter((each) => each.isUnsynced === isUnsynced).map(({ agent }) => agent);
    return [...new Set(names)].sort().join(' or ');
  };
  const causes = [
    ['possible late write by', agents(false)],
    ['perhaps never made durable by', agents(true)],
  ].filter(([, names]) => names !== '');
  return causes.length === 0 ? undefined : causes.map((words) => words.join(' ')).join(', or ');
}
