/** How a stage kept the plan's rate: what was wanted, what was reached, and how long clients would have waited. */
import type { RateResult } from '@seedstorm/proto';
import { latest } from './numbers.js';
import type { Participant } from './participant.js';
import type { Stage } from './stage.js';

/** The result of a stage with a rate; undefined without one. */
export function rateResult(stage: Stage, all: readonly Participant[]): RateResult | undefined {
  const { rate } = stage.plan;
  if (rate === undefined) return undefined;
  const done = all.reduce((total, { totals }) => total + totals.sum(rate.of), 0);
  // To the last answer: what comes after it, syncs and closes, belongs to no operation.
  const lastNs = latest(stage.startNs, ...all.flatMap(({ lastPacedNs }) => lastPacedNs ?? []));
  const seconds = Number(lastNs - stage.startNs) / 1e9;
  return {
    of: rate.of,
    arrivals: rate.arrivals,
    wanted: rate.perSecond,
    reached: seconds > 0 ? done / seconds : 0,
    response: stage.classTimes.responses(),
    lateNs: latest(0n, ...all.map(({ totals }) => totals.lateNs)),
  };
}
