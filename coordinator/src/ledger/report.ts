/**
 * An agent's report about one lease, and the checks that a report must pass before anything in it is believed.
 */
import type { Range } from './intervals.js';
import type { LeaseEnd, LeaseRecord } from './lease.js';
import { MAX_RANGES_PER_REPORT } from './options.js';

/** Cumulative progress of one lease: everything so far, so that it may be repeated, reordered and late. */
export interface Report {
  readonly agent: string;
  readonly incarnation: number;
  readonly leaseId: number;
  readonly epoch: number;
  /** Units that count: under the plan's sync, durable. Ascending, apart or touching. */
  readonly done: readonly Range[];
  /** Units whose I/O was acknowledged, durable or not; those of `done` may be left out. Ascending, apart or touching. */
  readonly written: readonly Range[];
}

/** Why a report was refused. */
export type Refusal =
  | 'unknown-lease'
  | 'not-the-holder'
  | 'wrong-epoch'
  | 'too-many-ranges'
  | 'malformed-range'
  | 'outside-lease';

/**
 * What became of a report.
 * - `applied`: `newlyDone` units were counted; `completed` when the lease has none left. A repeated report is applied
 *   and counts nothing.
 * - `fenced`: the lease had ended, so no coverage moved; `newRework` units were worked on for nothing.
 * - `refused`: it cannot be true, and changed nothing.
 */
export type ReportOutcome =
  | { readonly kind: 'applied'; readonly newlyDone: number; readonly completed: boolean }
  | { readonly kind: 'fenced'; readonly because: Exclude<LeaseEnd, 'completed'>; readonly newRework: number }
  | { readonly kind: 'refused'; readonly reason: Refusal; readonly detail: string };

/** The first reason not to believe `report`, or undefined. `record` is the lease that it names, if there is one. */
export function refusalOf(
  report: Report,
  record: LeaseRecord | undefined,
): { reason: Refusal; detail: string } | undefined {
  if (record === undefined) return { reason: 'unknown-lease', detail: `there is no lease ${report.leaseId}` };
  const { lease } = record;
  if (report.agent !== lease.agent || report.incarnation !== lease.incarnation) {
    const holder = `${lease.agent} incarnation ${lease.incarnation}`;
    const detail = `lease ${lease.id} belongs to ${holder}, not to ${report.agent} incarnation ${report.incarnation}`;
    return { reason: 'not-the-holder', detail };
  }
  if (report.epoch !== lease.epoch) {
    return { reason: 'wrong-epoch', detail: `lease ${lease.id} has epoch ${lease.epoch}, not ${report.epoch}` };
  }
  return refusalOfRanges('done', report.done, lease) ?? refusalOfRanges('written', report.written, lease);
}

function refusalOfRanges(
  name: string,
  ranges: readonly Range[],
  lease: { first: number; end: number },
): { reason: Refusal; detail: string } | undefined {
  if (ranges.length > MAX_RANGES_PER_REPORT) {
    const detail = `${name} has ${ranges.length} intervals, the limit is ${MAX_RANGES_PER_REPORT}`;
    return { reason: 'too-many-ranges', detail };
  }
  let previousEnd = Number.NEGATIVE_INFINITY;
  for (const [first, end] of ranges) {
    const isWhole = Number.isSafeInteger(first) && Number.isSafeInteger(end) && first >= 0 && first < end;
    if (!isWhole || first < previousEnd) {
      return { reason: 'malformed-range', detail: `${name} [${first}, ${end}) is empty, negative or out of order` };
    }
    if (first < lease.first || end > lease.end) {
      const detail = `${name} [${first}, ${end}) is outside of the lease [${lease.first}, ${lease.end})`;
      return { reason: 'outside-lease', detail };
    }
    previousEnd = end;
  }
  return undefined;
}
