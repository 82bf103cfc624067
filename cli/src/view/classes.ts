/** A stage's classes of operations for people: a line each, where there is more than one. */
import { formatCount, formatRate } from '@seedstorm/coordinator/units';
import { printable } from '@seedstorm/errors';
import type { ClassResult, StageResult } from '@seedstorm/proto';
import { latency } from './format.js';

/** The lines of a stage's classes. Of one class they would say again what the stage's row says. */
export function classLines({ classes }: StageResult): string[] {
  if (classes.length < 2) return [];
  return classes.map((of) => printable(`  ${name(of)}: ${parts(of).join(', ')}`));
}

function name({ operation, size }: ClassResult): string {
  if (size === '') return operation;
  return size === 'larger' ? `${operation} > 16 MiB` : `${operation} ≤ ${size.replace(/(?=[KM]iB$)/u, ' ')}`;
}

function parts(of: ClassResult): string[] {
  return [
    `${formatCount(of.operations)} operations`,
    `${formatCount(Math.round(of.operationsPerSecond))}/s`,
    of.bytes > 0n ? formatRate(of.bytesPerSecond) : '',
    of.errors > 0n ? `${formatCount(of.errors)} failed` : '',
    latency(of.latency),
  ].filter((part) => part !== '');
}
