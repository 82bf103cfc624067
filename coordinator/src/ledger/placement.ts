/**
 * Who may take from which pool: verify by another, node-local data, static shares. A pure choice, made at each grant.
 */
import { isPresent, type MemberRecord, type Members } from './members.js';
import type { Assign } from './options.js';
import type { Pool } from './pools.js';

/** What a choice is made from, besides the pools. */
export interface Asking {
  readonly assign: Assign;
  readonly member: MemberRecord;
  readonly members: Members;
  readonly nowMs: number;
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
function rankOf({ owner }: Pool, { assign, member, members, nowMs }: Asking): number | undefined {
  if (owner === undefined) return 0;
  const isOwner = owner.agent === member.agent;
  if (assign.kind === 'static') return isOwner ? 0 : isGone(members.get(owner.agent)) ? 1 : undefined;
  switch (assign.placement.kind) {
    case 'any':
      return 0;
    case 'same':
      return isOwner ? 0 : undefined;
    case 'other':
      // A same-host or own verify may be answered by a client cache, so it is not merely the last choice: it is
      // left alone as long as somebody better placed lives.
      if (isOwner) return members.someLive(nowMs, ({ agent }) => agent !== owner.agent) ? undefined : 2;
      if (owner.host === member.host) {
        const isBetterPlaced = ({ agent, host }: MemberRecord) => agent !== owner.agent && host !== owner.host;
        return members.someLive(nowMs, isBetterPlaced) ? undefined : 1;
      }
      return 0;
  }
}

/** Whether the owner of a pool was here and is gone; an owner that has not come yet is waited for. */
export function isGone(owner: MemberRecord | undefined): boolean {
  return owner !== undefined && !isPresent(owner);
}
