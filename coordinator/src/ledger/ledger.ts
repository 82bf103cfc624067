/**
 * The ledger of one pass of one stage: which units are leased, done, reworked, settled, and by whom. It must never
 * know of I/O, clocks or messages: whoever calls it says what time it is.
 */
import type { Coverage, Handover, Unsettled } from './coverage.js';
import type { Range } from './intervals.js';
import type { Lease } from './lease.js';
import { type LedgerOptions, resolveOptions, type WriterRange } from './options.js';
import type { Report, ReportOutcome } from './report.js';

export class Ledger {
  constructor(options: LedgerOptions) {
    resolveOptions(options);
  }
  join(_agent: string, _incarnation: number, _host: string, _nowMs: number): 'joined' | 'fenced' {
    throw new Error();
  }
  renew(_agent: string, _incarnation: number, _nowMs: number): 'renewed' | 'fenced' {
    throw new Error();
  }
  lost(_agent: string, _incarnation: number, _how: { knownDead: boolean }, _nowMs: number): Lease[] {
    throw new Error();
  }
  drained(_agent: string, _incarnation: number): void {
    throw new Error();
  }
  leave(_agent: string, _incarnation: number): Lease[] {
    throw new Error();
  }
  grant(_agent: string, _nowMs: number): Lease | undefined {
    throw new Error();
  }
  report(_report: Report): ReportOutcome {
    throw new Error();
  }
  undo(_leaseId: number, _nowMs: number): boolean {
    throw new Error();
  }
  release(_leaseId: number): boolean {
    throw new Error();
  }
  expire(_nowMs: number): { readonly leases: readonly Lease[]; readonly handover: Handover } {
    throw new Error();
  }
  nextEventMs(): number | undefined {
    throw new Error();
  }
  coverage(): Coverage {
    throw new Error();
  }
  leasesOf(_agent: string): Lease[] {
    throw new Error();
  }
  isComplete(): boolean {
    throw new Error();
  }
  isOver(): boolean {
    throw new Error();
  }
  isSettled(): boolean {
    throw new Error();
  }
  unfinished(): Range[] {
    throw new Error();
  }
  writers(): readonly WriterRange[] {
    throw new Error();
  }
  lostUnits(): readonly WriterRange[] {
    throw new Error();
  }
  indeterminate(_agent: string): Range[] {
    throw new Error();
  }
  unsettled(): Unsettled[] {
    throw new Error();
  }
}
