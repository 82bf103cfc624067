/**
 * Whether a stage's throughput is stable: how much it varied over the last seconds. Pure; must not know where rates come from.
 */

/** What is wanted of a stage, and what came of it. */
export class Stability {
  readonly #rates: number[] = [];
  readonly #seconds: number;

  constructor(
    /** The greatest variation that is stable. */
    readonly wanted: number,
    /** Over how long; whole seconds. */
    readonly windowMs: number,
  ) {
    this.#seconds = windowMs / 1000;
  }

  /** The throughput of one more second. */
  add(rate: number): void {
    this.#rates.push(rate);
    if (this.#rates.length > this.#seconds) this.#rates.shift();
  }

  /** Standard deviation over mean of the last window's seconds; undefined before there is a whole window, or without any I/O. */
  get variation(): number | undefined {
    const rates = this.#rates;
    if (rates.length < this.#seconds) return undefined;
    const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
    if (mean === 0) return undefined;
    const squares = rates.reduce((sum, rate) => sum + (rate - mean) ** 2, 0);
    return Math.sqrt(squares / rates.length) / mean;
  }

  /** Whether it is as stable as wanted. */
  get reached(): boolean {
    const { variation } = this;
    return variation !== undefined && variation <= this.wanted;
  }
}
