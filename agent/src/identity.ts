/** Who this agent is: its name, its host, the kernel it runs on, and the PUs that it may use. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { type Hello, protocolVersion } from '@seedstorm/proto';

/** How this agent introduces itself. `name` is its own unless one is given: host and process id, which is unique. */
export function introduce(name: string | undefined, version: string): Hello {
  const host = hostname();
  return {
    protocol: protocolVersion,
    version,
    name: name ?? `${host}-${process.pid}`,
    // Rises with every start: the clock, in ms, which fits a number for 285,000 years.
    incarnation: BigInt(Date.now()),
    host,
    machine: bootId() ?? host,
    cpuset: allowedCpus(),
    pid: process.pid,
  };
}

/** The id of the running kernel: containers on one host have names of their own, but share it. */
function bootId(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** The PUs that this process may use, as the kernel writes them: 0-3,8. */
function allowedCpus(): string {
  const status = readFileSync('/proc/self/status', 'utf8');
  return /^Cpus_allowed_list:\s*(\S+)/mu.exec(status)?.[1] ?? '';
}
