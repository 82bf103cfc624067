/** The ledger's public face. */
export type { AgentCoverage, Coverage, Expiry, Handover, Unsettled } from './coverage.js';
export { IntervalMap, IntervalSet, type Range, unionUnits } from './intervals.js';
export type { Lease, LeaseEnd } from './lease.js';
export { Ledger } from './ledger.js';
export type { Assign, Deed, LedgerOptions, Member, Placement, WriterRange } from './options.js';
export type { Refusal, Report, ReportOutcome } from './report.js';
export { type LostUnits, UnitsByAgent } from './units-by-agent.js';
