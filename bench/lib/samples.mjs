// Interleaved measurements, and what may be said of them: medians, and medians of ratios within one round, which the
// machine's other work leaves alone more than it does any one number.

/** The middle value; of an even number the lower middle one, so that it is one that was seen. */
export function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)];
}

/**
 * Measures every case once a round, every other round backwards, so that neither a slow drift nor the case before
 * favours anybody. A round in advance warms everything up and does not count.
 *
 * @param cases `{ id, measure }`; a measurement is `{ perSecond, amount, cpuNs }`, or `{ error }`: the case is then left
 *   out from there on.
 */
export async function interleave(cases, rounds, onRound) {
  const samples = new Samples();
  let able = cases;
  for (let round = -1; round < rounds; round++) {
    onRound(round + 1, rounds + 1);
    for (const { id, measure } of round % 2 === 0 ? able : able.toReversed()) {
      const sample = await measure();
      if (sample.error !== undefined) samples.failed.set(id, sample.error);
      else if (round >= 0) samples.add(id, sample);
    }
    able = able.filter(({ id }) => !samples.failed.has(id));
  }
  return samples;
}

/** What was measured: for each case a sample a round. */
export class Samples {
  #byCase = new Map();
  /** Cases that could not be measured, with the reason. */
  failed = new Map();

  add(id, sample) {
    if (!this.#byCase.has(id)) this.#byCase.set(id, []);
    this.#byCase.get(id).push(sample);
  }

  /** Every case that was measured, with all its samples. */
  entries() {
    return [...this.#byCase];
  }

  /** One value of every round, or undefined where the case was not measured. */
  each(id, value = (sample) => sample.perSecond) {
    return this.#byCase.get(id)?.map(value);
  }

  /** The median of a value. */
  median(id, value) {
    const values = this.each(id, value);
    return values && median(values);
  }

  /** The best of several cases in each round: the fairest to somebody who would choose the best. */
  bestOf(ids) {
    const all = ids.map((id) => this.each(id)).filter((values) => values !== undefined);
    return all[0]?.map((_, round) => Math.max(...all.map((values) => values[round])));
  }

  /** The median of the ratios within each round; `of` and `to` are lists of values. */
  static ratio(of, to) {
    return of && to && median(of.map((value, round) => value / to[round]));
  }
}

/** CPU seconds that a sample took for a terabyte (10^12 bytes). */
export const cpuSecondsPerTb = (sample) => (sample.cpuNs / sample.amount) * 1e3;

/** A rate by CPU time, which others on the same machine take no part of. */
export const perCpuSecond = (sample) => (sample.amount / sample.cpuNs) * 1e9;

/**
 * A sample of work on one core, by the time that the core was given to it: where other work has its turns on the core,
 * the clock on the wall says nothing of the work. What uses more than one core's time stays by the wall.
 */
export function ofOneCore(sample) {
  if (sample.error !== undefined) return sample;
  return {
    ...sample,
    perSecond: Math.max(sample.perSecond, perCpuSecond(sample)),
    coreShare: sample.perSecond / perCpuSecond(sample),
  };
}
