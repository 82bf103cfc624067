/** CPU time of this process since a stage began, user and system apart. */

import type { Report } from '@seedstorm/proto';

/** What a process has used, in ns. */
export type UsedCpu = Pick<Report, 'processCpuUserNs' | 'processCpuSystemNs'>;

/** A meter of one stage. */
export class ProcessCpu {
  #before: NodeJS.CpuUsage | undefined;

  /** From here on it counts; told again, it goes on. */
  begin(): void {
    this.#before ??= process.cpuUsage();
  }

  /** What was used since; nothing before it began. */
  used(): UsedCpu {
    if (this.#before === undefined) return { processCpuUserNs: 0n, processCpuSystemNs: 0n };
    const { user, system } = process.cpuUsage(this.#before);
    return { processCpuUserNs: BigInt(user) * 1000n, processCpuSystemNs: BigInt(system) * 1000n };
  }
}
