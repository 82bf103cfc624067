/** Times for people. */
import type { Latency } from '@seedstorm/proto';

/** Nanoseconds with three digits: 812 ns, 1.24 ms, 3.10 s. */
export function nanoseconds(ns: bigint | number): string {
  const value = Number(ns);
  if (value < 1000) return `${value} ns`;
  if (value < 1e6) return `${digits(value / 1e3)} µs`;
  if (value < 1e9) return `${digits(value / 1e6)} ms`;
  return `${digits(value / 1e9)} s`;
}

/** Seconds as a duration: 12 s, 3 min 05 s, 2 h 10 min. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
  return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, '0')} min`;
}

/** The percentiles of a line; empty when nothing was measured. */
export function latency(of: Latency | undefined): string {
  if (of === undefined || of.count === 0n) return '';
  return `p50 ${nanoseconds(of.p50Ns)}, p99 ${nanoseconds(of.p99Ns)}, max ${nanoseconds(of.maxNs)}`;
}

function digits(value: number): string {
  if (value < 10) return value.toFixed(2);
  return value < 100 ? value.toFixed(1) : value.toFixed(0);
}
