/** Reports of one stage: numbered, and kept until they are acknowledged, since they may have to be sent again. */
import type { Report } from '@seedstorm/proto';

/** Reports that may wait for an acknowledgement; past it counts gather in the engine instead. */
const maxUnacknowledged = 32;

/** The reports that are not acknowledged yet. */
export class Unacknowledged {
  readonly #reports: Report[] = [];
  #sequence = 0n;

  /** Those that wait, in their order. */
  get all(): readonly Report[] {
    return this.#reports;
  }

  /** Whether no more should be made for now. */
  get isFull(): boolean {
    return this.#reports.length >= maxUnacknowledged;
  }

  /** The number of the next report, which is to be kept. */
  nextSequence(): bigint {
    this.#sequence += 1n;
    return this.#sequence;
  }

  keep(report: Report): void {
    this.#reports.push(report);
  }

  /** The report of this number was taken, and those before it: gives them up. */
  acknowledged(sequence: bigint): Report[] {
    const waiting = this.#reports.findIndex((report) => report.sequence > sequence);
    return this.#reports.splice(0, waiting < 0 ? this.#reports.length : waiting);
  }
}
