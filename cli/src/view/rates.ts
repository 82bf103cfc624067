/** How a stage kept the plan's rate, for people. */
import { formatPerSecond } from '@seedstorm/coordinator/units';
import type { StageResult } from '@seedstorm/proto';
import { latency, nanoseconds } from './format.js';

/** The line of a stage with a rate; none without one. */
export function rateLines({ rate }: StageResult): string[] {
  if (rate === undefined) return [];
  const { of, wanted, reached, kept } = rate;
  const part = wanted > 0 ? reached / wanted : 1;
  const much = `${formatPerSecond({ of, perSecond: reached })} of ${formatPerSecond({ of, perSecond: wanted })} wanted (${(part * 100).toFixed(1)}%)`;
  const late = `the last operations began ${nanoseconds(rate.lateNs)} late`;
  const response = `response times, from the instants at which operations were to begin: ${latency(rate.response)}`;
  return [
    kept ? `  the rate was kept: ${much}; ${response}` : `  the rate was not reached: ${much}; ${late}; ${response}`,
  ];
}
