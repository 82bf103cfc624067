/**
 * Whether a stage's throughput is stable: how much it varied over the last seconds. Pure; must not know where rates come from.
 */

const secondNs = 1_000_000_000n;

/** What is wanted of a stage, and what came of it. */
export class Stability {
  /** When it was as stable as wanted, on the coordinator's clock. */
  sinceNs: bigint | undefined;
  #lookedNs: bigint | undefined;
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

  /**
   * Takes the throughput of one more second, when one has gone by; the first of them begins at `fromNs`. Whether the stage
   * has just become stable.
   */
  look(nowNs: bigint, fromNs: bigint, rate: () => number): boolean {
    this.#lookedNs ??= fromNs;
    if (this.sinceNs !== undefined || nowNs < this.#lookedNs + secondNs) return false;
    this.#lookedNs += secondNs;
    this.add(rate());
    if (this.reached) this.sinceNs = nowNs;
    return this.reached;
  }

  /** How it varies, for people. */
  get text(): string {
    const { variation = 0, wanted, windowMs } = this;
    return `its throughput varied by ${percent(variation)} over ${windowMs / 1000} s, and ${percent(wanted)} was wanted`;
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

function percent(part: number): string {
  return `${(part * 100).toFixed(2)}%`;
}
