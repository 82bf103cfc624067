/**
 * From a distribution to a table of object sizes, in units: its quantiles, at even steps. The table is a part of the
 * resolved plan and goes to every agent, so that nobody else rounds a logarithm.
 */
import type { PlanS3Target } from './schema.js';

/** A distribution as it was typed. */
export type SizeDistribution = NonNullable<NonNullable<PlanS3Target['objects']>['sizes']>;

/** How many sizes a table may have: what the engine can put in order. The more, the finer the tail. */
const tableSizes = [256, 64, 16, 4] as const;

/**
 * The table for data of so many units: of as many sizes as leave at least 64 groups to share out, and 4 at least.
 * Every group of that many objects has each size once, and leases end on groups.
 */
export function objectSizes(distribution: SizeDistribution, units: number, unitBytes: number): number[] {
  for (const count of tableSizes) {
    const table = tableOf(distribution, count, unitBytes);
    if (count === 4 || sum(table) * 64 <= units) return table;
  }
  throw new TypeError('the smallest table fits any data');
}

/** The total of a table, in units. */
export function sum(table: readonly number[]): number {
  return table.reduce((total, each) => total + each, 0);
}

function tableOf(distribution: SizeDistribution, count: number, unitBytes: number): number[] {
  return Array.from({ length: count }, (_, rank) => {
    const bytes = quantile(distribution, (rank + 0.5) / count);
    return Math.max(1, Math.round(bytes / unitBytes));
  });
}

function quantile({ uniform, lognormal }: SizeDistribution, share: number): number {
  if (uniform !== undefined) return uniform.min + share * (uniform.max - uniform.min);
  if (lognormal === undefined) throw new TypeError('the schema wants one of them');
  const { median, sigma, max } = lognormal;
  return Math.min(max, median * Math.exp((sigma / 1000) * normalQuantile(share)));
}

/** The standard normal distribution's quantile: P. J. Acklam's rational approximation, good to 1.2e-9. */
function normalQuantile(share: number): number {
  const polynomial = (coefficients: readonly number[], x: number) => coefficients.reduce((sum, each) => sum * x + each);
  const tail = 0.02425;
  if (share > 1 - tail) return -normalQuantile(1 - share);
  if (share < tail) {
    const q = Math.sqrt(-2 * Math.log(share));
    return (
      polynomial(
        [
          -7.784894002430293e-3, -3.223964580411365e-1, -2.400758277161838, -2.549732539343734, 4.374664141464968,
          2.938163982698783,
        ],
        q,
      ) / polynomial([7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416, 1], q)
    );
  }
  const q = share - 0.5;
  const r = q * q;
  return (
    (q *
      polynomial(
        [
          -3.969683028665376e1, 2.209460984245205e2, -2.759285104469687e2, 1.38357751867269e2, -3.066479806614716e1,
          2.506628277459239,
        ],
        r,
      )) /
    polynomial(
      [-5.447609879822406e1, 1.615858368580409e2, -1.556989798598866e2, 6.680131188771972e1, -1.328068155288572e1, 1],
      r,
    )
  );
}
