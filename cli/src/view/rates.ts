/** How a stage kept the plan's rate, for people. */
import { formatCount, formatRate } from '@seedstorm/coordinator/units';
import type { RateResult, StageResult } from '@seedstorm/proto';
import { latency, nanoseconds } from './format.js';

/** A rate that reached less than this part of what was wanted was not kept. */
const keptPart = 0.99;

/** The line of a stage with a rate; none without one. */
export function rateLines({ rate }: StageResult): string[] {
  if (rate === undefined) return [];
  const part = rate.wanted > 0 ? rate.reached / rate.wanted : 1;
  const kept = `${amount(rate, rate.reached)} of ${amount(rate, rate.wanted)} wanted (${(part * 100).toFixed(1)}%)`;
  const late = `the last operations began ${nanoseconds(rate.lateNs)} late`;
  const response = `response times, from the instants at which operations were to begin: ${latency(rate.response)}`;
  return [
    part < keptPart
      ? `  the rate was not reached: ${kept}; ${late}; ${response}`
      : `  the rate was kept: ${kept}; ${response}`,
  ];
}

function amount({ of }: RateResult, perSecond: number): string {
  return of === 'operations' ? `${formatCount(Math.round(perSecond))} operations/s` : formatRate(perSecond);
}
