/** The coordinator's monotonic clock. Every deadline and every measured time is on it. */

/** Now, in ns. */
export function nowNs(): bigint {
  return process.hrtime.bigint();
}

/** Now, in ms: the ledger's unit of time. */
export function nowMs(): number {
  return Number(nowNs() / 1000n) / 1000;
}
