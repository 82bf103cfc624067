/**
 * A lease as agents see it, and as the ledger keeps it: what was worked on, what of it counts, how it ended.
 */
import { IntervalSet } from './intervals.js';
import type { MemberRecord } from './members.js';
import type { Pool } from './pools.js';

/** A seed range [first, end) given to one agent; `epoch` is higher than that of every earlier lease of its units. */
export interface Lease {
  readonly id: number;
  readonly epoch: number;
  readonly agent: string;
  readonly incarnation: number;
  readonly first: number;
  readonly end: number;
}

/**
 * Why a lease ended.
 * - `completed`: every unit is done or failed.
 * - `expired`: no renewal came in time. `dead`: the holder is known to be gone.
 * - `fenced`: a newer incarnation of the agent joined. `undone`: its sync failed. `released`: the agent gave it back.
 */
export type LeaseEnd = 'completed' | 'expired' | 'dead' | 'fenced' | 'undone' | 'released';

/** What the ledger knows of one lease. `done` is what this lease moved in the coverage, and never shrinks. */
export class LeaseRecord {
  readonly done = new IntervalSet();
  /** Everything that the holder ever reported as written or done, also after the lease ended. */
  readonly worked = new IntervalSet();
  /** Units that will not be done, because of an error that passes; apart from `done`. */
  readonly failed = new IntervalSet();
  ended: LeaseEnd | undefined;
  /** When it was granted, and when its holder last said that more of it is done; the ledger's time. */
  grantedMs = 0;
  doneMs = 0;

  /** `pool` is where the units came from, and where the rest goes back to. */
  constructor(
    readonly lease: Lease,
    readonly holder: MemberRecord,
    readonly pool: Pool,
  ) {}

  get units(): number {
    return this.lease.end - this.lease.first;
  }

  /** Whether it runs and has units left to work on; a lease that only waits for its sync is not open. */
  get isOpen(): boolean {
    return this.ended === undefined && this.worked.units + this.failed.units < this.units;
  }
}
