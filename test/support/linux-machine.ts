/**
 * What Linux tells of a machine, as files: hwloc reads them in place of /sys and /proc (its variable `HWLOC_FSROOT`), so
 * that machines can be tested that are not at hand, through the same code that looks at this one.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A machine as its kernel sees it. */
export interface LinuxMachine {
  /** Of each CPU its package and core; CPUs are numbered in this order. */
  readonly cpus: readonly { readonly package: number; readonly core: number; readonly isOffline?: boolean }[];
  /** Of each NUMA node its CPUs, MiB of memory and distances to all; nodes are numbered in this order. */
  readonly nodes: readonly { readonly cpus: readonly number[]; readonly mib: number; readonly distances: number[] }[];
}

/** Writes the files under a folder; gives the environment in which hwloc takes them for a machine. */
export function writeLinuxMachine(folder: string, { cpus, nodes }: LinuxMachine): NodeJS.ProcessEnv {
  const write = (path: string, text: string): void => {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${text}\n`);
  };
  const online = cpus.flatMap(({ isOffline }, cpu) => (isOffline === true ? [] : [cpu]));
  const like = (is: (cpu: LinuxMachine['cpus'][number]) => boolean): string =>
    mask(online.filter((cpu) => is(cpus[cpu] ?? { package: -1, core: -1 })));
  const system = 'sys/devices/system';
  write(`${system}/cpu/online`, online.join());
  for (const name of ['possible', 'present']) write(`${system}/cpu/${name}`, `0-${cpus.length - 1}`);
  for (const [cpu, { package: of, core, isOffline }] of cpus.entries()) {
    write(`${system}/cpu/cpu${cpu}/online`, isOffline === true ? '0' : '1');
    if (isOffline === true) continue;
    const topology = `${system}/cpu/cpu${cpu}/topology`;
    write(`${topology}/physical_package_id`, `${of}`);
    write(`${topology}/core_id`, `${core}`);
    const [inPackage, inCore] = [
      like((other) => other.package === of),
      like((o) => o.package === of && o.core === core),
    ];
    for (const name of ['package_cpus', 'core_siblings']) write(`${topology}/${name}`, inPackage);
    for (const name of ['core_cpus', 'thread_siblings']) write(`${topology}/${name}`, inCore);
  }
  for (const name of ['online', 'possible']) write(`${system}/node/${name}`, `0-${nodes.length - 1}`);
  for (const [node, { cpus: own, mib, distances }] of nodes.entries()) {
    const here = `${system}/node/node${node}`;
    write(`${here}/cpumap`, mask(own.filter((cpu) => online.includes(cpu))));
    write(`${here}/meminfo`, `Node ${node} MemTotal: ${mib * 1024} kB`);
    write(`${here}/distance`, distances.join(' '));
  }
  write('proc/meminfo', `MemTotal: ${nodes.reduce((sum, { mib }) => sum + mib, 0) * 1024} kB`);
  write('proc/cpuinfo', cpus.map((_, cpu) => `processor\t: ${cpu}\n`).join('\n'));
  // Only what Linux tells counts, and not what hwloc could ask the CPU that it runs on.
  return { HWLOC_FSROOT: folder, HWLOC_COMPONENTS: 'linux,stop' };
}

/** A kernel's mask of at most 32 CPUs. */
function mask(cpus: readonly number[]): string {
  return cpus
    .reduce((bits, cpu) => bits + 2 ** cpu, 0)
    .toString(16)
    .padStart(8, '0');
}
