/** CPU time of a stage: by agent, and for each GB that was moved. */
import type { CpuResult } from '@seedstorm/proto';
import type { Participant } from './participant.js';

/** The CPU time of an agent's incarnations. */
export function cpuResult(incarnations: readonly Participant[]): CpuResult {
  const sum = { lanesUserNs: 0n, lanesSystemNs: 0n, processUserNs: 0n, processSystemNs: 0n };
  for (const { totals } of incarnations) {
    for (const { counters } of totals.pools) {
      sum.lanesUserNs += counters.cpuUserNs;
      sum.lanesSystemNs += counters.cpuSystemNs;
    }
    sum.processUserNs += totals.processCpuUserNs;
    sum.processSystemNs += totals.processCpuSystemNs;
  }
  return sum;
}

/** CPU seconds of all agents' processes for each GB (10⁹ bytes); 0 when nothing was moved. */
export function cpuSecondsPerGb(all: readonly Participant[], movedBytes: number): number {
  const { processUserNs, processSystemNs } = cpuResult(all);
  return movedBytes > 0 ? Number(processUserNs + processSystemNs) / movedBytes : 0;
}
