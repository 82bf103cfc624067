/** What all agents together have in flight under a plan. Pure. */
import type { InFlight } from '@seedstorm/proto';

/** I/Os that each lane has in flight at a time. */
export const queueDepth = 1;

/** I/Os and bytes of lanes that each have `queueDepth` blocks of `blockBytes` under way. */
export function inFlight(lanes: number, blockBytes: number): InFlight {
  const operations = BigInt(lanes) * BigInt(queueDepth);
  return { lanes, queueDepth, operations, bytes: operations * BigInt(blockBytes) };
}
