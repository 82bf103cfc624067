/** What the agents' page caches had to do with a stage that read files: so that a cached read is called one. Pure. */
import type { CacheResult, FileWork, Residency } from '@seedstorm/proto';

/**
 * Of a sample that is larger than this part in the cache, the reads are called cached: below it are the odd pages that
 * stay behind when a cache is emptied.
 */
const cachedFrom = 0.02;

/** What all agents of a stage found together. */
export function cacheResult(agents: readonly { readonly fileWork: FileWork | undefined }[]): CacheResult {
  const works = agents.flatMap(({ fileWork }) => (fileWork === undefined ? [] : [fileWork]));
  const before = sum(works.map(({ cachedBefore }) => cachedBefore));
  const after = sum(works.map(({ cachedAfter }) => cachedAfter));
  return { reads: reads(works, before), before, after };
}

function reads(works: readonly FileWork[], before: Residency): string {
  if (works.length === 0) return 'none';
  if (works.every(({ direct }) => direct)) return 'direct';
  if (before.pages === 0n) return 'unknown';
  return Number(before.resident) / Number(before.pages) > cachedFrom ? 'cached' : 'uncached';
}

function sum(found: readonly (Residency | undefined)[]): Residency {
  const total = { objects: 0n, pages: 0n, resident: 0n };
  for (const { objects, pages, resident } of found.flatMap((each) => (each === undefined ? [] : [each]))) {
    total.objects += objects;
    total.pages += pages;
    total.resident += resident;
  }
  return total;
}
