import type { StoreWork } from '@seedstorm/proto';
import { describe, expect, it } from 'vitest';
import { storeFault, storeResult } from './store-totals.js';

function work(more: Partial<StoreWork> = {}): StoreWork {
  return {
    requests: [{ kind: 'GET', requests: 10n, attempts: 13n, failed: 1n }],
    statuses: [{ kind: 'GET', status: 503, count: 4n }],
    ...more,
  };
}

describe('what a stage asked of a store', () => {
  it('is the sum over agents, by kind and by status', () => {
    const other = work({
      requests: [
        { kind: 'GET', requests: 20n, attempts: 20n, failed: 0n },
        { kind: 'PUT', requests: 1n, attempts: 1n, failed: 0n },
      ],
      statuses: [{ kind: 'GET', status: 503, count: 1n }],
    });
    expect(storeResult([work(), undefined, other])).toEqual({
      requests: [
        { kind: 'GET', requests: 30n, attempts: 33n, failed: 1n },
        { kind: 'PUT', requests: 1n, attempts: 1n, failed: 0n },
      ],
      statuses: [{ kind: 'GET', status: 503, count: 5n }],
    });
  });

  it('is nothing where nobody asked one', () => {
    expect(storeResult([undefined, work({ requests: [] })])).toBeUndefined();
  });

  it('is refused when it cannot be true', () => {
    expect(storeFault(work())).toBeUndefined();
    const statuses = Array.from({ length: 10_001 }, (_, status) => ({ kind: 'GET', status, count: 1n }));
    expect(storeFault(work({ statuses }))).toContain('more kinds');
  });
});
