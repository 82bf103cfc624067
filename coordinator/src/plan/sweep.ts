/** From a sweep to its points: each combination of values, and the plan that it makes. Pure. */
import { defaults, sweepKeys } from './choices.js';
import { formatCount, formatPerSecond } from './format.js';
import { geometryOf } from './geometry.js';
import type { SweepPoint, SweepValues } from './resolved.js';
import type { Plan } from './schema.js';
import { formatSize, type Rate } from './units.js';

/** How many agents a plan needs: its minimum, and as many as its sweep goes up to. */
export function agentsNeeded({ agents, sweep }: Pick<Plan, 'agents'> & { readonly sweep?: Plan['sweep'] }): number {
  return Math.max(agents?.minimum ?? defaults.agentsMinimum, ...(sweep?.agents ?? []));
}

/** Each combination; the last key varies fastest. None without a sweep. */
export function pointsOf(sweep: Plan['sweep']): SweepValues[] {
  if (sweep === undefined) return [];
  const keys = sweepKeys.filter((key) => sweep[key] !== undefined);
  if (keys.length === 0) return [];
  return keys.reduce<SweepValues[]>(
    (points, key) => points.flatMap((point) => (sweep[key] ?? []).map((value) => ({ ...point, [key]: value }))),
    [{}],
  );
}

/** The values of a point, for people. */
export function pointText(values: SweepValues): string {
  const text = (key: string, value: number | Rate): string => {
    if (typeof value === 'object') return formatPerSecond(value);
    return key === 'block' ? formatSize(value) : formatCount(value);
  };
  return Object.entries(values)
    .map(([key, value]) => `${key} ${text(key, value)}`)
    .join(', ');
}

/** How many combinations there are. */
export function pointCount(sweep: NonNullable<Plan['sweep']>): number {
  return sweepKeys.reduce((count, key) => count * (sweep[key]?.length ?? 1), 1);
}

/** The plan with the load and the blocks of a point, from which its geometry follows. */
export function planAtPoint(plan: Plan, { lanesPerAgent, queueDepth, block }: SweepValues): Plan {
  const { target } = plan;
  const load = {
    ...plan.load,
    ...(lanesPerAgent === undefined ? {} : { lanesPerAgent }),
    ...(queueDepth === undefined ? {} : { queueDepth }),
  };
  if (block === undefined || (target.kind !== 'file' && target.kind !== 'block')) return { ...plan, load };
  const io = { ...target.io, block };
  return { ...plan, load, target: target.kind === 'file' ? { ...target, io } : { ...target, io } };
}

/** A point with what follows from it. */
export function resolvePoint(plan: Plan, values: SweepValues): SweepPoint {
  const { layout, blockBytes, grainUnits, leaseUnits } = geometryOf(planAtPoint(plan, values));
  return { values, layout, blockBytes, grainUnits, leaseUnits };
}
