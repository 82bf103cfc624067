import { describe, expect, it } from 'vitest';
import { stageResult } from '../testing.js';
import { storeLines } from './store.js';

describe('what is shown of requests to a store', () => {
  it('tells retries and failures from requests, and what the store answered instead', () => {
    const store = {
      requests: [
        { kind: 'PUT', requests: 4096n, attempts: 4200n, failed: 0n },
        { kind: 'complete upload', requests: 2n, attempts: 2n, failed: 1n },
      ],
      statuses: [
        { kind: 'complete upload', status: 503, count: 1n },
        { kind: 'PUT', status: 0, count: 104n },
      ],
    };
    expect(storeLines(stageResult({ store }))).toEqual([
      'write: requests: 4,096 × PUT (104 retries), 2 × complete upload (1 failed)',
      'write: attempts that failed: 104 × no answer to PUT, 1 × 503 to complete upload',
    ]);
  });

  it('is nothing where nobody asked a store', () => {
    expect(storeLines(stageResult())).toEqual([]);
  });
});
