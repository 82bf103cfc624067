import type { FileWork } from '@seedstorm/proto';
import { describe, expect, test } from 'vitest';
import { cacheResult } from './cache-result.js';

const work = (direct: boolean, pages: bigint, resident: bigint): { fileWork: FileWork } => {
  const none = { objects: 0n, pages: 0n, resident: 0n };
  const cachedBefore = { objects: pages > 0n ? 1n : 0n, pages, resident };
  return { fileWork: { direct, cachedBefore, cachedAfter: none, preallocated: 0n, preallocateNs: 0n } };
};

describe('reads of a stage are called', () => {
  test.each([
    [
      'cached, when one agent of many had its data in the cache',
      [work(false, 900n, 0n), work(false, 100n, 100n)],
      'cached',
    ],
    ['uncached, when only odd pages were left', [work(false, 1000n, 3n), work(false, 1000n, 0n)], 'uncached'],
    ['direct, when all of them went around the cache', [work(true, 0n, 0n), work(true, 0n, 0n)], 'direct'],
    ['unknown, when nobody could look', [work(false, 0n, 0n), work(true, 0n, 0n)], 'unknown'],
  ])('%s', (_name, works, reads) => {
    expect(cacheResult(works).reads).toBe(reads);
  });

  test('none, when nobody read files', () => {
    expect(cacheResult([{ fileWork: undefined }]).reads).toBe('none');
  });
});
