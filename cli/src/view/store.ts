/** What a stage asked of a store, for people. */
import { formatCount } from '@seedstorm/coordinator';
import { printable } from '@seedstorm/errors';
import type { StageResult } from '@seedstorm/proto';
import { nanoseconds } from './format.js';

/** Statuses that a line names; the others are in the JSON. */
const maxStatuses = 6;

/** Lines on requests, on how long reads waited for their first byte, and on what the store answered instead. */
export function storeLines({ name, store }: StageResult): string[] {
  if (store === undefined) return [];
  const { requests, statuses, firstByte } = store;
  const kinds = requests.map(({ kind, requests: asked, attempts, failed }) => {
    const retries = attempts - asked;
    const parts = [
      retries > 0n ? `${formatCount(retries)} retries` : '',
      failed > 0n ? `${formatCount(failed)} failed` : '',
    ].filter((part) => part !== '');
    return `${formatCount(asked)} × ${kind}${parts.length === 0 ? '' : ` (${parts.join(', ')})`}`;
  });
  const lines = [`${name}: requests: ${kinds.join(', ')}`];
  if (firstByte !== undefined) {
    const times = [firstByte.p50Ns, firstByte.p99Ns, firstByte.maxNs].map(nanoseconds);
    lines.push(`${name}: time to first byte: p50 ${times[0]}, p99 ${times[1]}, max ${times[2]}`);
  }
  if (statuses.length > 0) {
    const seen = [...statuses].sort((a, b) => Number(b.count - a.count)).slice(0, maxStatuses);
    const texts = seen.map(
      ({ kind, status, count }) => `${formatCount(count)} × ${status === 0 ? 'no answer' : status} to ${kind}`,
    );
    lines.push(`${name}: attempts that failed: ${texts.join(', ')}${statuses.length > maxStatuses ? ', …' : ''}`);
  }
  return lines.map(printable);
}
