/**
 * An agent's report about one lease, and the checks that a report must pass before anything in it is believed.
 */
import type { Range } from './intervals.js';
import type { Lease, LeaseEnd } from './lease.js';
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
  /** Units that will not be done, because of an error that passes. Ascending, apart or touching; none of them is done. */
  readonly failed?: readonly Range[];
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
  | RefusedReport;

/** See {@link ReportOutcome}. */
export interface RefusedReport {
  readonly kind: 'refused';
  readonly reason: Refusal;
  readonly detail: string;
}

/** Why a report about `lease` cannot be true, or undefined. */
export function refusalOf(report: Report, lease: Lease): RefusedReport | undefined {
  if (report.agent !== lease.agent || report.incarnation !== lease.incarnation) {
    const holder = `${lease.agent} incarnation ${lease.incarnation}`;
    const reporter = `${report.agent} incarnation ${report.incarnation}`;
    return refused('not-the-holder', `lease ${lease.id} belongs to ${holder}, not to ${reporter}`);
  }
  if (report.epoch !== lease.epoch) {
    return refused('wrong-epoch', `lease ${lease.id} has epoch ${lease.epoch}, not ${report.epoch}`);
  }
  return (
    refusalOfRanges('done', report.done, lease) ??
    refusalOfRanges('written', report.written, lease) ??
    refusalOfRanges('failed', report.failed ?? [], lease)
  );
}

/** A refusal with its reason, for the log and for the agent. */
export function refused(reason: Refusal, detail: string): RefusedReport {
  return { kind: 'refused', reason, detail };
}

function refusalOfRanges(name: string, ranges: readonly Range[], lease: Lease): RefusedReport | undefined {
  if (ranges.length > MAX_RANGES_PER_REPORT) {
    return refused('too-many-ranges', `${name} has ${ranges.length} intervals, the limit is ${MAX_RANGES_PER_REPORT}`);
  }
  let previousEnd = 0;
  for (const [first, end] of ranges) {
    const isRange = Number.isSafeInteger(first) && Number.isSafeInteger(end) && previousEnd <= first && first < end;
    if (!isRange) {
      return refused('malformed-range', `${name} [${first}, ${end}) is empty, negative or out of order`);
    }
    if (first < lease.first || end > lease.end) {
      return refused('outside-lease', `${name} [${first}, ${end}) is outside of [${lease.first}, ${lease.end})`);
    }
    previousEnd = end;
  }
  return undefined;
}
