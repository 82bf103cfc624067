/** How a stage kept the plan's rate: what was wanted, what was reached, and how long clients would have waited. */
import type { Latency, RateResult } from '@seedstorm/proto';
import { latest } from './numbers.js';
import type { Participant } from './participant.js';
import type { Stage } from './stage.js';

/** A rate that reached less than this part of what was wanted was not kept. */
const keptPart = 0.99;
/** Random arrivals may be fewer than on average by so many standard deviations: once in 30,000 stages they are fewer still. */
const chanceDeviations = 4;

/** The result of a stage with a rate, whose operations took `service`; undefined without one. */
export function rateResult(
  stage: Stage,
  all: readonly Participant[],
  service: Latency | undefined,
): RateResult | undefined {
  const { rate } = stage.plan;
  if (rate === undefined) return undefined;
  const sum = (counter: 'operations' | 'bytes'): number =>
    all.reduce((total, { totals }) => total + totals.sum(counter), 0);
  const done = sum(rate.of);
  // To the last answer: what comes after it, syncs and closes, belongs to no operation.
  const lastNs = latest(stage.startNs, ...all.flatMap(({ lastPacedNs }) => lastPacedNs ?? []));
  const seconds = Number(lastNs - stage.startNs) / 1e9;
  const { of, arrivals, perSecond: wanted } = rate;
  return {
    of,
    arrivals,
    wanted,
    reached: seconds > 0 ? done / seconds : 0,
    response: stage.classTimes.responses(),
    lateNs: latest(0n, ...all.map(({ totals }) => totals.lateNs)),
    kept: isKept({
      wanted,
      done,
      // The last operations were submitted before their answers came: in so short a time no others were to begin.
      seconds: seconds - Math.min(Number(service?.p99Ns ?? 0n) / 1e9, seconds / 2),
      chance: arrivals === 'poisson' ? chanceDeviations / Math.sqrt(Math.max(1, sum('operations'))) : 0,
    }),
  };
}

/** Whether as much was done in so many seconds as was wanted, but for a hundredth, and for a part of it that is chance. */
export function isKept(of: {
  /** A second. */
  readonly wanted: number;
  readonly done: number;
  readonly seconds: number;
  readonly chance: number;
}): boolean {
  return of.done >= of.wanted * of.seconds * (keptPart - of.chance);
}
