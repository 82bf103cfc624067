/**
 * What a ledger says of itself: how far the pass is, by whom, what was done twice and what is in doubt.
 */
import type { Lease } from './lease.js';

/** One agent's part, over all its incarnations. */
export interface AgentCoverage {
  /** Units that count, done by this agent. */
  readonly done: number;
  /** Units that it worked on under leases that ended before they counted; by lease, each once. */
  readonly rework: number;
  /** Leases that it holds. */
  readonly leases: number;
  /** Those of them that still have units to work on; the others wait for a sync. */
  readonly openLeases: number;
}

/** `units` = `done` + `leased` + `free` + `lost` + `failed` + `leftOut`; the other counts overlap with these. */
export interface Coverage {
  readonly units: number;
  readonly done: number;
  /** Units of live leases that are not done. */
  readonly leased: number;
  /** Units that somebody may still be given. */
  readonly free: number;
  /** Units of node-local data whose writer is gone. */
  readonly lost: number;
  /** Units that will not be done, because of errors that pass. */
  readonly failed: number;
  /** Units that the pass has no part in. */
  readonly leftOut: number;
  /** Work done twice, never throughput. */
  readonly rework: number;
  /** Units that may hold an older generation and nobody be to blame. */
  readonly indeterminate: number;
  /** Units that a lost holder may still have a write in flight on. */
  readonly unsettled: number;
  readonly agents: ReadonlyMap<string, AgentCoverage>;
}

/** Whether expired leases are handed over, or wait because the network is the likelier fault. */
export type Handover =
  | { readonly waiting: false }
  | { readonly waiting: true; readonly reason: string; readonly silent: readonly string[]; readonly members: number };

/** What one look at the time brought about: the leases that ended, and whether others wait to. */
export interface Expiry {
  readonly leases: readonly Lease[];
  readonly handover: Handover;
}

/** A lost holder whose writes may still arrive, and until when that is waited for. */
export interface Unsettled {
  readonly agent: string;
  readonly incarnation: number;
  readonly first: number;
  readonly end: number;
  readonly untilMs: number;
}
