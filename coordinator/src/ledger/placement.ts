/**
 * Who may take from which pool: verify by another, node-local data, static shares. A pure choice, made at each grant.
 */
import { isPresent, type MemberRecord } from './members.js';
import type { Assign } from './options.js';
import type { Pool } from './pools.js';

/** What a choice is made from, besides the pools. */
export interface Asking {
  readonly assign: Assign;
  readonly member: MemberRecord;
  /** All members that could take a lease now, the asking one included. */
  readonly live: readonly MemberRecord[];
  readonly memberOf: (agent: string) => MemberRecord | undefined;
}

/** The pool that the asking member should take from: the best it may, and of several the one with most left. */
export function choosePool(pools: readonly Pool[], asking: Asking): Pool | undefined {
  let best: Pool | undefined;
  let bestRank = Number.POSITIVE_INFINITY;
  for (const pool of pools) {
    if (pool.free.units === 0) continue;
    const rank = rankOf(pool, asking);
    if (rank === undefined || rank > bestRank) continue;
    if (rank === bestRank && best !== undefined && best.free.units >= pool.free.units) continue;
    best = pool;
    bestRank = rank;
  }
  return best;
}

/** Lower is better; undefined when the member may not take from the pool as things are. */
function rankOf({ owner }: Pool, { assign, member, live, memberOf }: Asking): number | undefined {
  if (owner === undefined) return 0;
  const isOwner = owner.agent === member.agent;
  if (assign.kind === 'static') return isOwner ? 0 : isGone(memberOf(owner.agent)) ? 1 : undefined;
  switch (assign.placement.kind) {
    case 'any':
      return 0;
    case 'same':
      return isOwner ? 0 : undefined;
    case 'other':
      // A same-host or own verify may be answered by a client cache, so it is not merely the last choice: it is
      // left alone as long as somebody better placed lives.
      if (isOwner) return live.some(({ agent }) => agent !== owner.agent) ? undefined : 2;
      if (owner.host === member.host) {
        return live.some(({ agent, host }) => agent !== owner.agent && host !== owner.host) ? undefined : 1;
      }
      return 0;
  }
}

/** Whether the owner of a pool was here and is gone; an owner that has not come yet is waited for. */
export function isGone(owner: MemberRecord | undefined): boolean {
  return owner !== undefined && !isPresent(owner);
}
