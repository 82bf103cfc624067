/**
 * Waits, before a stage removes or writes again, until nobody can still be writing or removing the same: lost agents may
 * have I/O in flight.
 */
import { nowMs } from '../clock.js';
import type { Ledger } from '../ledger/index.js';
import type { RunLog } from './run-log.js';
import type { Waiters } from './waiters.js';

/** Resolves when every one of the ledgers is settled, or the stage `name` is over. */
export async function settle(
  earlier: readonly Ledger[],
  name: string,
  waiters: Waiters,
  over: () => boolean,
  log: RunLog,
): Promise<void> {
  const unsettled = (): Ledger[] => {
    for (const ledger of earlier) ledger.expire(nowMs());
    return earlier.filter((ledger) => !ledger.isSettled());
  };
  const holders = new Set(unsettled().flatMap((ledger) => ledger.unsettled().map((late) => late.agent)));
  if (holders.size > 0) {
    const names = [...holders].join(', ');
    log.event('warning', 'settling', `${name} waits: lost agents (${names}) may still have I/O in flight`);
  }
  await waiters.until(() => unsettled().length === 0 || over());
}
