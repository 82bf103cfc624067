/** The coordinator's monotonic clock. Every deadline and every measured time is on it. */

/** Now, in ns. */
export function nowNs(): bigint {
  return process.hrtime.bigint();
}

/** Now, in ms: the ledger's unit of time. */
export function nowMs(): number {
  return Number(nowNs() / 1000n) / 1000;
}

/** A time of the coordinator's monotonic clock in ms, in ms since 1970. */
export function unixMs(monotonicMs: number): number {
  return Date.now() - (nowMs() - monotonicMs);
}

/** A time in ms since 1970, on the coordinator's monotonic clock in ms. */
export function fromUnixMs(unix: number): number {
  return nowMs() - (Date.now() - unix);
}
