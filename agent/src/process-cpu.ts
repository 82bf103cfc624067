/** CPU time of this process since a stage began, user and system apart. */

/** What a process has used, in ns. */
export interface UsedCpu {
  readonly userNs: bigint;
  readonly systemNs: bigint;
}

/** A meter of one stage. */
export class ProcessCpu {
  #before: NodeJS.CpuUsage | undefined;

  /** From here on it counts; told again, it goes on. */
  begin(): void {
    this.#before ??= process.cpuUsage();
  }

  /** What was used since; nothing before it began. */
  used(): UsedCpu {
    if (this.#before === undefined) return { userNs: 0n, systemNs: 0n };
    const { user, system } = process.cpuUsage(this.#before);
    return { userNs: BigInt(user) * 1000n, systemNs: BigInt(system) * 1000n };
  }
}
