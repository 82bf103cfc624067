/** The faults that verification found over a whole run: the first in full, all of them counted, whoever found them. */
import type { Finding } from '@seedstorm/proto';
import type { WriterRange } from '../ledger/index.js';
import { count } from './numbers.js';

/** Faults that are kept in full. */
const maxKept = 500;
/** Objects whose numbers are kept so that deletes spare them; past it every object is spared. */
const maxObjects = 100_000;

/** The faults of a run. */
export class Findings {
  readonly kept: Finding[] = [];
  readonly #objects = new Set<number>();
  /** The paths of those that are there. */
  readonly #found = new Set<string>();
  #overflow = false;

  /** Takes a fault that `reader` found; `writers` tell who wrote its unit. */
  add(finding: Finding, reader: string, writers: readonly WriterRange[]): Finding {
    const unit = count(finding.unit, 'the unit of a finding');
    const object = count(finding.object, 'the object of a finding');
    const writer = writers.find((range) => range.first <= unit && unit < range.end)?.agent ?? '';
    const whole = { ...finding, reader, writer };
    if (this.kept.length < maxKept) this.kept.push(whole);
    if (this.#objects.size < maxObjects) {
      this.#objects.add(object);
      // What is missing is spared too: should it come back it is evidence. But nobody finds it now.
      if (finding.kind !== 'missing') this.#found.add(finding.path);
    } else this.#overflow = true;
    return whole;
  }

  /** An agent found more than it could name. */
  unnamed(): void {
    this.#overflow = true;
  }

  /** Whether any fault was found. */
  get any(): boolean {
    return this.#objects.size > 0 || this.#overflow;
  }

  /** The objects that hold faults, which deletes leave alone; 'all' when they are too many to name. */
  sparedObjects(): readonly number[] | 'all' {
    return this.#overflow ? 'all' : [...this.#objects].sort((a, b) => a - b);
  }

  /** The paths of those objects that are there, as far as they are known. */
  sparedPaths(): string[] {
    return [...this.#found].sort();
  }
}
