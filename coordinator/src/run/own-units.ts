/** How many units were read back by the agent that wrote them. Pure. */
import type { WriterRange } from '../ledger/index.js';

/** Units that both lists name under the same agent; each list ascends and does not overlap with itself. */
export function ownUnits(read: readonly WriterRange[], written: readonly WriterRange[]): number {
  let units = 0;
  let at = 0;
  for (const range of read) {
    while (at < written.length && (written[at]?.end ?? 0) <= range.first) at += 1;
    for (let i = at; i < written.length; i++) {
      const writer = written[i];
      if (writer === undefined || writer.first >= range.end) break;
      if (writer.agent !== range.agent) continue;
      units += Math.min(writer.end, range.end) - Math.max(writer.first, range.first);
    }
  }
  return units;
}
