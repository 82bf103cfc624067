/** What agents asked of a store in one stage, added up. Counts in reports are cumulative. */
import type { RequestCount, StatusCount, StoreResult, StoreWork } from '@seedstorm/proto';
import { count } from './numbers.js';

/** Rows of requests or of statuses that an agent may report: there are fewer kinds and statuses. */
const maxRows = 10_000;

/** What cannot be true of a report, if something cannot. */
export function storeFault({ requests, statuses }: StoreWork): string | undefined {
  if (requests.length > maxRows || statuses.length > maxRows) return 'more kinds of requests than there are';
  for (const of of requests) {
    count(of.requests, 'requests');
    count(of.attempts, 'attempts');
    count(of.failed, 'failed requests');
  }
  for (const of of statuses) count(of.count, 'a count of statuses');
  return undefined;
}

/** All of them together; undefined when nobody asked a store. */
export function storeResult(all: readonly (StoreWork | undefined)[]): StoreResult | undefined {
  const asked = all.filter((work): work is StoreWork => (work?.requests.length ?? 0) > 0);
  if (asked.length === 0) return undefined;
  const requests = new Map<string, RequestCount>();
  const statuses = new Map<string, StatusCount>();
  for (const work of asked) {
    for (const { kind, requests: more, attempts, failed } of work.requests) {
      const sum = requests.get(kind) ?? { kind, requests: 0n, attempts: 0n, failed: 0n };
      requests.set(kind, {
        kind,
        requests: sum.requests + more,
        attempts: sum.attempts + attempts,
        failed: sum.failed + failed,
      });
    }
    for (const { kind, status, count: seen } of work.statuses) {
      const key = `${kind} ${status}`;
      statuses.set(key, { kind, status, count: (statuses.get(key)?.count ?? 0n) + seen });
    }
  }
  return { requests: [...requests.values()], statuses: [...statuses.values()] };
}
