/** How much faster the clients could have been than the storage was: below some headroom it is them that were measured. */
import type { HeadroomResult } from '@seedstorm/proto';
import type { Participant } from './participant.js';

/** Stages that make or compare every byte. */
const working: readonly string[] = ['write', 'verify', 'mixed'];

/**
 * The headroom of a stage that reached `bytesPerSecond`; undefined where the agents did not measure theirs. What was written
 * was made, and what was read was compared: of a mixed stage, each in its part.
 */
export function headroomResult(
  kind: string,
  all: readonly Participant[],
  bytesPerSecond: number,
): HeadroomResult | undefined {
  const speeds = all.flatMap(({ generator }) => generator ?? []);
  if (speeds.length === 0 || !working.includes(kind)) return undefined;
  const [made, compared] = ['write', 'read'].map((operation) => bytesOf(all, operation));
  const generates = speeds.reduce((sum, speed) => sum + speed.generateBytesPerSecond, 0);
  const verifies = speeds.reduce((sum, speed) => sum + speed.verifyBytesPerSecond, 0);
  const seconds = (made ?? 0) / generates + (compared ?? 0) / verifies;
  const nullBytesPerSecond = seconds > 0 ? ((made ?? 0) + (compared ?? 0)) / seconds : 0;
  return { nullBytesPerSecond, times: bytesPerSecond > 0 ? nullBytesPerSecond / bytesPerSecond : 0 };
}

function bytesOf(all: readonly Participant[], operation: string): number {
  const classes = all.flatMap(({ totals }) => [...totals.classes.values()]);
  return classes.reduce((sum, of) => (of.operation === operation ? sum + of.bytes : sum), 0);
}
