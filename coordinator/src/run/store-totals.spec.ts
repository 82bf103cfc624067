import { encodeHistogram, type StoreWork } from '@seedstorm/proto';
import { describe, expect, it } from 'vitest';
import { StoreTotals, storeFault, storeResult } from './store-totals.js';

function work(more: Partial<StoreWork> = {}): StoreWork {
  return {
    requests: [{ kind: 'GET', requests: 10n, attempts: 13n, failed: 1n }],
    statuses: [{ kind: 'GET', status: 503, count: 4n }],
    firstByte: encodeHistogram({ buckets: [100], counts: [9], maxNs: 100 }),
    ...more,
  };
}

describe('what a stage asked of a store', () => {
  it('is the sum over agents, whose counts are cumulative and whose histograms are gains', () => {
    const [one, other, idle] = [new StoreTotals(), new StoreTotals(), new StoreTotals()];
    one.take(work());
    one.take(work({ requests: [{ kind: 'GET', requests: 20n, attempts: 23n, failed: 1n }] }));
    other.take(
      work({ requests: [{ kind: 'PUT', requests: 1n, attempts: 1n, failed: 0n }], statuses: [], firstByte: undefined }),
    );
    const result = storeResult([one, other, idle]);
    expect(result?.requests).toEqual([
      { kind: 'GET', requests: 20n, attempts: 23n, failed: 1n },
      { kind: 'PUT', requests: 1n, attempts: 1n, failed: 0n },
    ]);
    expect(result?.statuses).toEqual([{ kind: 'GET', status: 503, count: 4n }]);
    expect(result?.firstByte).toMatchObject({ count: 18n, maxNs: 100n });
  });

  it('is nothing where nobody asked one', () => {
    expect(storeResult([new StoreTotals()])).toBeUndefined();
  });

  it('is refused when it cannot be true', () => {
    expect(storeFault(work())).toBeUndefined();
    const statuses = Array.from({ length: 10_001 }, (_, status) => ({ kind: 'GET', status, count: 1n }));
    expect(storeFault(work({ statuses }))).toContain('more kinds');
  });
});
