/** What one incarnation of an agent asked of a store in one stage, and the sum over all of them. */
import {
  decodeHistogram,
  type RequestCount,
  type StatusCount,
  type StoreResult,
  type StoreWork,
} from '@seedstorm/proto';
import { LatencyTotals } from './latency-totals.js';
import { count } from './numbers.js';

/** Rows of requests or of statuses that an agent may report: there are fewer kinds and statuses. */
const maxRows = 10_000;

/** What one incarnation of an agent asked of a store. */
export class StoreTotals {
  requests: readonly RequestCount[] = [];
  statuses: readonly StatusCount[] = [];
  readonly firstByte = new LatencyTotals();

  /** Takes what a report says, which has passed `storeFault`: counts are cumulative, the histogram is what was gained. */
  take({ requests, statuses, firstByte }: StoreWork): void {
    this.requests = requests;
    this.statuses = statuses;
    if (firstByte !== undefined) this.firstByte.add(decodeHistogram(firstByte));
  }
}

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
export function storeResult(all: readonly StoreTotals[]): StoreResult | undefined {
  const asked = all.filter(({ requests }) => requests.length > 0);
  if (asked.length === 0) return undefined;
  const requests = new Map<string, RequestCount>();
  const statuses = new Map<string, StatusCount>();
  const firstByte = new LatencyTotals();
  for (const totals of asked) {
    for (const { kind, requests: asked, attempts, failed } of totals.requests) {
      const sum = requests.get(kind) ?? { kind, requests: 0n, attempts: 0n, failed: 0n };
      requests.set(kind, {
        kind,
        requests: sum.requests + asked,
        attempts: sum.attempts + attempts,
        failed: sum.failed + failed,
      });
    }
    for (const { kind, status, count: seen } of totals.statuses) {
      const key = `${kind} ${status}`;
      statuses.set(key, { kind, status, count: (statuses.get(key)?.count ?? 0n) + seen });
    }
    firstByte.addAll(totals.firstByte);
  }
  const first = firstByte.summary();
  return {
    requests: [...requests.values()],
    statuses: [...statuses.values()],
    firstByte: first.count > 0n ? first : undefined,
  };
}
