/** What all agents together have in flight under a plan. Pure. */
import type { InFlight } from '@seedstorm/proto';

/** I/Os and bytes of lanes that each have `queueDepth` blocks of `blockBytes` under way. */
export function inFlight(lanes: number, queueDepth: number, blockBytes: number): InFlight {
  const operations = BigInt(lanes) * BigInt(queueDepth);
  return { lanes, queueDepth, operations, bytes: operations * BigInt(blockBytes) };
}
