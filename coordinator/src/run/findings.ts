/** The faults that verification found over a whole run: the first in full, all of them counted, whoever found them. */
import type { Finding, Reading } from '@seedstorm/proto';
import { count } from './numbers.js';

/** Faults that are kept in full, and looked at again. */
const maxKept = 1000;
/** What a finding is called that is no fault: an old generation which may be a late write of an agent that was lost. */
export const indeterminate = 'indeterminate';
/** Objects whose numbers are kept so that deletes spare them; past it every object is spared. */
const maxObjects = 100_000;
/** Spared objects that the result names. */
const maxNamed = 1000;

/** Who found a fault, and when, in ms since 1970. */
export interface Reader {
  readonly name: string;
  readonly host: string;
  readonly readUnixMs: number;
}

/** Who wrote a unit, and between which times, in ms since 1970. */
export interface Writer {
  readonly agent: string;
  readonly afterUnixMs: number;
  readonly beforeUnixMs: number;
}

/** The faults of a run. */
export class Findings {
  readonly kept: Finding[] = [];
  /** The first places that are indeterminate: no faults. */
  readonly indeterminate: Finding[] = [];
  /** Objects with faults that are not kept in full: the path of each, empty for what is not there. */
  readonly #others = new Map<number, string>();
  /** Objects with faults. */
  readonly #objects = new Set<number>();
  #overflow = false;

  /** Takes a fault in. One of the first is kept, and given back as it is kept: what more is learnt of it goes there. */
  add(
    finding: Finding,
    reader: Reader,
    writer: Writer | undefined,
  ): { readonly finding: Finding; readonly kept: boolean } {
    const object = count(finding.object, 'the object of a finding');
    const whole = wholeOf(finding, reader, writer);
    if (this.#objects.has(object) || this.#objects.size < maxObjects) this.#objects.add(object);
    else this.#overflow = true;
    const kept = this.kept.length < maxKept;
    if (kept) this.kept.push(whole);
    else if (this.#objects.has(object)) this.#others.set(object, pathOf(whole));
    return { finding: whole, kept };
  }

  /** Takes in an old generation that an agent which was lost may have left behind. */
  addIndeterminate(finding: Finding, reader: Reader, writer: Writer | undefined, cause: string): Finding {
    const detail = `${finding.detail}: ${cause}`;
    const whole = { ...wholeOf(finding, reader, writer), detail };
    if (this.indeterminate.length < maxKept) this.indeterminate.push(whole);
    return whole;
  }

  /** Somebody looked at the place of a kept fault again. */
  static read(finding: Finding, reading: Reading): void {
    finding.readers.push(reading);
    finding.verdict = verdictOf(finding.readers);
  }

  /** An agent found more than it could name. */
  unnamed(): void {
    this.#overflow = true;
  }

  /** Whether any fault was found. */
  get any(): boolean {
    return this.#objects.size > 0 || this.#overflow;
  }

  /**
   * The objects that deletes leave alone; 'all' when they are too many to name. One that holds what it should, since wrong
   * bytes in it were transient, is not spared: what was read of it is kept as evidence, and there is no more to see in it.
   */
  sparedObjects(): readonly number[] | 'all' {
    return this.#overflow ? 'all' : [...this.#spared().keys()].sort((a, b) => a - b);
  }

  /** The paths of the first of those objects that are there, as far as they are known. */
  sparedPaths(): string[] {
    const paths = [...this.#spared().values()].filter((path) => path !== '');
    return paths.sort().slice(0, maxNamed);
  }

  /** Spared objects and their paths; what is missing is spared too (should it come back it is evidence) and has none. */
  #spared(): Map<number, string> {
    const spared = new Map(this.#others);
    for (const finding of this.kept) {
      if (finding.verdict === 'transient' && !isAbsent(finding)) continue;
      const object = Number(finding.object);
      spared.set(object, pathOf(finding) || (spared.get(object) ?? ''));
    }
    return spared;
  }
}

/** Of what was not there and came back only the beginning was looked at: nobody knows the rest. */
function isAbsent({ kind }: Finding): boolean {
  return kind === 'missing' || kind === 'truncated';
}

function pathOf({ kind, path, verdict }: Finding): string {
  return kind === 'missing' && verdict !== 'transient' ? '' : path;
}

/** What second looks make of a fault. */
export function verdictOf(readers: readonly Reading[]): 'persistent' | 'transient' | 'undecided' {
  const looked = readers.filter(({ saw }) => saw !== 'failed');
  if (looked.some(({ saw }) => saw !== 'right')) return 'persistent';
  return looked.length > 0 ? 'transient' : 'undecided';
}

/** A finding as it is kept: who found it and when is known, what else it says of itself is not believed. */
function wholeOf(finding: Finding, reader: Reader, writer: Writer | undefined): Finding {
  count(finding.unit, 'the unit of a finding');
  count(finding.object, 'the object of a finding');
  const readUnixMs = BigInt(Math.round(reader.readUnixMs));
  // There was one reader so far.
  const readers = finding.readers.slice(0, 1).map((seen) => ({
    ...seen,
    agent: reader.name,
    host: reader.host,
    unixMs: readUnixMs,
  }));
  return {
    ...finding,
    reader: reader.name,
    host: reader.host,
    readUnixMs,
    readers,
    verdict: verdictOf(readers),
    writer: writer?.agent ?? '',
    writtenAfterUnixMs: BigInt(Math.round(writer?.afterUnixMs ?? 0)),
    writtenBeforeUnixMs: BigInt(Math.round(writer?.beforeUnixMs ?? 0)),
  };
}
