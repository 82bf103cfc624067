/** Whether a plan makes the very bytes of an earlier run: what it did not write would then verify. */
import { SeedstormError } from '@seedstorm/errors';
import { type CheckFinding, CheckLevel, toErrorDetail } from '@seedstorm/proto';
import type { ResolvedPlan } from '../plan/index.js';
import type { RunRecords } from './run-records.js';

/** A warning where an earlier run that is on record had the plan's seed and namespace. */
export async function repeatedData({ content }: ResolvedPlan, records: RunRecords): Promise<CheckFinding[]> {
  const runs = await records.list();
  const found = runs.find(
    ({ head }) => head?.content.seed === content.seed && head.content.namespace === content.namespace,
  );
  if (found === undefined) return [];
  const gone = found.head?.state === 'deleted' ? ', whose data was deleted' : ', whose data may still be there';
  const error = new SeedstormError({
    code: 'SEEDSTORM_E_RUN_DATA_REPEATED',
    what: `seed ${content.seed} and namespace ${JSON.stringify(content.namespace)} are those of run ${found.runId}${gone}: what it left would verify, and a deduplicating store would write nothing anew`,
  });
  return [{ level: CheckLevel.WARNING, detail: toErrorDetail(error) }];
}
