/** Measures the clocks of agents that are about to start together. */
import { nowMs } from '../clock.js';
import type { Member } from './member.js';

/** A clock is known well when its error is below this; a start within it is together for any storage. */
const wellKnownNs = 500_000n;
const timeoutMs = 1000;
const probeEveryMs = 10;

/** Probes until each clock is known well, for a second at most, or until `over`. */
export async function measureClocks(members: () => readonly Member[], over: () => boolean): Promise<void> {
  const deadline = nowMs() + timeoutMs;
  const vague = (): Member[] => members().filter(({ clock }) => !(clock.known && clock.errorNs < wellKnownNs));
  while (vague().length > 0 && !over() && nowMs() <= deadline) {
    for (const member of vague()) member.probeClock();
    await new Promise((resolve) => setTimeout(resolve, probeEveryMs));
  }
}
