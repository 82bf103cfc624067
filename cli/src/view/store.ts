/** What a stage asked of a store, for people. */
import { formatCount } from '@seedstorm/coordinator/units';
import { printable } from '@seedstorm/errors';
import type { StageResult } from '@seedstorm/proto';

/** Statuses that a line names; the others are in the JSON. */
const maxStatuses = 6;

/** Lines on requests, and on what the store answered instead of serving them. */
export function storeLines({ name, store }: StageResult): string[] {
  if (store === undefined) return [];
  const { requests, statuses } = store;
  const kinds = requests.map(({ kind, requests: asked, attempts, failed }) => {
    const retries = attempts - asked;
    const parts = [
      retries > 0n ? `${formatCount(retries)} retries` : '',
      failed > 0n ? `${formatCount(failed)} failed` : '',
    ].filter((part) => part !== '');
    return `${formatCount(asked)} × ${kind}${parts.length === 0 ? '' : ` (${parts.join(', ')})`}`;
  });
  const lines = [`${name}: requests: ${kinds.join(', ')}`];
  if (statuses.length > 0) {
    const seen = [...statuses].sort((a, b) => Number(b.count - a.count)).slice(0, maxStatuses);
    const texts = seen.map(
      ({ kind, status, count }) => `${formatCount(count)} × ${status === 0 ? 'no answer' : status} to ${kind}`,
    );
    lines.push(`${name}: attempts that failed: ${texts.join(', ')}${statuses.length > maxStatuses ? ', …' : ''}`);
  }
  return lines.map(printable);
}
