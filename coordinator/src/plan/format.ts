/** Amounts for people to read: rounded, and so not to be parsed back (units.ts has the exact texts). */

const prefixes = ['', 'k', 'M', 'G', 'T', 'P', 'E'];

/**
 * Bytes with three significant digits in powers of 1000 (`4.29 GB`) or of 1024 (`4 GiB`).
 */
export function formatBytes(bytes: bigint | number, system: 'decimal' | 'binary' = 'decimal'): string {
  const base = system === 'decimal' ? 1000 : 1024;
  let value = Number(bytes);
  let power = 0;
  // 999.5 would be shown as 1000 of the smaller unit.
  while (value >= (power === 0 ? base : base - 0.5) && power < prefixes.length - 1) {
    value /= base;
    power += 1;
  }
  const prefix = prefixes[power] ?? '';
  const unit = system === 'binary' && power > 0 ? `${prefix.toUpperCase()}iB` : `${prefix}B`;
  return `${significant(value)} ${unit}`;
}

/** A rate in bytes per second as GB/s (10⁹), with three significant digits: `3.21 GB/s`, `0.0052 GB/s`. */
export function formatRate(bytesPerSecond: number): string {
  return `${significant(bytesPerSecond / 1e9)} GB/s`;
}

/** Operations or bytes a second: `20,000 operations/s`, `5 GB/s`, `300 MB/s`. */
export function formatPerSecond({ of, perSecond }: { readonly of: string; readonly perSecond: number }): string {
  return of === 'bytes' ? `${formatBytes(perSecond)}/s` : `${formatCount(Math.round(perSecond))} operations/s`;
}

/** A count with a comma between thousands: `1,048,576`. */
export function formatCount(count: bigint | number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/gu, ',');
}

function significant(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  if (value >= 999.5) return formatCount(Math.round(value));
  const digits = value < 1e-6 ? value.toExponential(2) : value.toPrecision(3);
  return digits.includes('e') || !digits.includes('.') ? digits : digits.replace(/\.?0+$/u, '');
}
