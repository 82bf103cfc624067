/** What a file's bytes are, as runs in the order of the file: where each belongs, and which of them are out of place. */
import { formatBytes } from '@seedstorm/coordinator/units';
import { columns } from './columns.js';

/** Bytes of the file that belong together. */
export interface IdentifiedRun {
  /** Where it begins in the file. */
  readonly offset: bigint;
  length: bigint;
  readonly kind: 'content' | 'zeros' | 'foreign';
  readonly seed?: bigint;
  readonly generation?: number;
  /**
   * How far before its place in the run's linear space it stands, in bytes; all that are possible, for under dedup
   * several units hold the same.
   */
  shifts?: readonly bigint[];
}

/** Most runs that are kept; the bytes of more are counted. */
const maxRuns = 10_000;
/** Most places of the file's beginning that are weighed against each other. */
const maxShifts = 65_536;

/** A file, looked at from its beginning on. */
export class IdentifiedFile {
  readonly runs: IdentifiedRun[] = [];
  /** Runs that were not kept any more. */
  unlisted = 0;
  /** How many bytes speak for each shift. */
  readonly #weights = new Map<bigint, bigint>();
  /** The shift that most bytes speak for; of several, the lowest. */
  #best: { readonly shift: bigint; readonly weight: bigint } | undefined;
  #last: IdentifiedRun | undefined;

  constructor(private readonly unitBytes: bigint) {}

  /** Adds the run that comes next in the file. */
  add(run: IdentifiedRun): void {
    for (const shift of run.shifts ?? []) {
      const known = this.#weights.get(shift);
      if (known === undefined && this.#weights.size >= maxShifts) continue;
      const weight = (known ?? 0n) + run.length;
      this.#weights.set(shift, weight);
      // Weights only rise, so the best one is the best of those that rose last.
      const best = this.#best;
      if (best === undefined || weight > best.weight || (weight === best.weight && shift < best.shift)) {
        this.#best = { shift, weight };
      }
    }
    const last = this.#last;
    if (last !== undefined && goesOn(last, run)) {
      last.length += run.length;
      if (last.shifts !== undefined) last.shifts = common(last, run);
      return;
    }
    this.#last = { ...run };
    if (this.runs.length < maxRuns) this.runs.push(this.#last);
    else this.unlisted += 1;
  }

  /** Where the file's first byte belongs in the run's linear space, by most of its bytes. */
  get begins(): bigint | undefined {
    return this.#best?.shift;
  }

  /** What a run is called, beside the rest of the file. */
  verdict(run: IdentifiedRun): 'in place' | 'misplaced' | 'zeros' | 'foreign' {
    if (run.kind !== 'content') return run.kind;
    const { begins } = this;
    return begins !== undefined && run.shifts?.includes(begins) === true ? 'in place' : 'misplaced';
  }

  /** The unit that a run begins in, and where in it. */
  place(run: IdentifiedRun): { unit: bigint; offsetInUnit: bigint } | undefined {
    const { begins } = this;
    const shift = begins !== undefined && run.shifts?.includes(begins) === true ? begins : run.shifts?.[0];
    if (shift === undefined) return undefined;
    const at = run.offset + shift;
    return { unit: at / this.unitBytes, offsetInUnit: at % this.unitBytes };
  }

  /** Bytes by verdict, of the runs that are listed. */
  get totals(): Record<ReturnType<IdentifiedFile['verdict']>, bigint> {
    const totals = { 'in place': 0n, misplaced: 0n, zeros: 0n, foreign: 0n };
    for (const run of this.runs) totals[this.verdict(run)] += run.length;
    return totals;
  }

  /** A line for each run, and one in all. */
  lines(): string[] {
    const table = this.runs.map((run) => [
      String(run.offset),
      formatBytes(run.length, 'binary'),
      this.verdict(run),
      this.#describe(run),
    ]);
    const rows = [['offset', 'length', 'verdict', 'what'], ...table];
    const lines = columns(rows, ['right', 'right', 'left', 'left']);
    if (this.unlisted > 0) lines.push(`and ${this.unlisted} more runs`);
    const totals = Object.entries(this.totals).filter(([, bytes]) => bytes > 0n);
    lines.push(totals.map(([verdict, bytes]) => `${formatBytes(bytes, 'binary')} ${verdict}`).join(', '));
    return lines;
  }

  #describe(run: IdentifiedRun): string {
    const place = this.place(run);
    if (place === undefined) return run.kind === 'foreign' ? 'nothing that the seeds given make' : '';
    const end = run.offset + run.length - 1n + (place.unit * this.unitBytes + place.offsetInUnit - run.offset);
    const last = end / this.unitBytes;
    const units = last === place.unit ? `unit ${place.unit}` : `units ${place.unit} to ${last}`;
    const from = place.offsetInUnit === 0n ? '' : `, from its byte ${place.offsetInUnit} on`;
    return `${units}${from}, generation ${run.generation}, seed ${run.seed}`;
  }
}

function goesOn(last: IdentifiedRun, run: IdentifiedRun): boolean {
  if (last.kind !== run.kind || last.seed !== run.seed || last.generation !== run.generation) return false;
  return run.shifts === undefined || common(last, run).length > 0;
}

function common(last: IdentifiedRun, run: IdentifiedRun): readonly bigint[] {
  return (last.shifts ?? []).filter((shift) => run.shifts?.includes(shift));
}
