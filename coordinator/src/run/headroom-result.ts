/** How much faster the clients could have been than the storage was: below some headroom it is them that were measured. */
import type { HeadroomResult } from '@seedstorm/proto';
import type { Participant } from './participant.js';

/** The headroom of a stage that reached `bytesPerSecond`; undefined where the agents did not measure theirs. */
export function headroomResult(
  kind: string,
  all: readonly Participant[],
  bytesPerSecond: number,
): HeadroomResult | undefined {
  const speeds = all.flatMap(({ generator }) => generator ?? []);
  // Nobody makes or compares anything in the other stages.
  if (speeds.length === 0 || (kind !== 'write' && kind !== 'verify')) return undefined;
  const nullBytesPerSecond = speeds.reduce(
    (sum, speed) => sum + (kind === 'write' ? speed.generateBytesPerSecond : speed.verifyBytesPerSecond),
    0,
  );
  return { nullBytesPerSecond, times: bytesPerSecond > 0 ? nullBytesPerSecond / bytesPerSecond : 0 };
}
