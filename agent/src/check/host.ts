/** Looks at what this host lets an agent do: open files, locked memory, asynchronous I/O, memory for buffers. */
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { SeedstormError } from '@seedstorm/errors';
import { lookAtHost, type Readiness, systemInformation } from '@seedstorm/native';
import type { CheckTarget } from '@seedstorm/proto';
import { type Findings, room } from './findings.js';

/** What is known of this host without the engine's help. */
export interface Host {
  /** Whether this process may lock memory without limit. */
  readonly mayLock: boolean;
  /** Whether the kernel moves pages between NUMA nodes. */
  readonly balancesNuma: boolean;
  readonly numaNodes: number;
  /** Whether huge pages are to be had, set aside or transparent. */
  readonly hasHugePages: boolean;
}

/** Files that a process has open anyway: libraries, sockets, pipes; and some to spare. */
const otherFiles = 64;
/** From this size on a lane's buffer is made of huge pages. */
const hugePageBytes = 2 * 1024 ** 2;
/** CAP_IPC_LOCK in the kernel's bit masks of capabilities. */
const capIpcLock = 14n;

/** Looks at this host, and adds what stands in the way of the load that its lanes will be. */
export async function checkLoad(question: CheckTarget, lanes: number, findings: Findings): Promise<void> {
  const readiness = await lookAtHost();
  const { hugePages, numaNodes } = systemInformation();
  const hasHugePages =
    ['always', 'madvise'].includes(hugePages.transparent ?? '') || hugePages.reserved.some(({ free }) => free > 0);
  checkHost(question, lanes, { ...lookAtKernel(), hasHugePages, numaNodes: numaNodes.length }, readiness, findings);
}

/** Adds what stands in the way of the load on such a host. Storage only: nothing else asks much of a host. */
export function checkHost(
  question: CheckTarget,
  lanes: number,
  host: Host,
  readiness: Readiness,
  findings: Findings,
): void {
  const kind = question.target?.kind?.$case;
  if (kind !== 'file' && kind !== 'block') return;
  if (kind === 'file') checkOpenFiles(question, lanes, readiness, findings);
  checkAsynchronousIo(question, lanes, host, readiness, findings);
  const bufferBytes = question.blockBytes * BigInt(question.queueDepth);
  if (!host.hasHugePages && bufferBytes >= hugePageBytes) {
    findings.info({
      what: `each lane's buffers are ${room(bufferBytes)}, and this host gives no huge pages for them`,
      mend: 'set /sys/kernel/mm/transparent_hugepage/enabled to madvise, or set pages aside (vm.nr_hugepages)',
    });
  }
  if (host.balancesNuma && host.numaNodes > 1) {
    findings.warning({
      what: 'the kernel moves pages between NUMA nodes by itself, which costs time that looks like the storage’s',
      mend: 'set kernel.numa_balancing to 0 for the time of the run',
    });
  }
}

/**
 * All lanes work on one lease and then on the next. Under sync: range a lease's files stay open until all are written, and
 * those of the next are opened meanwhile; under sync: end whatever the agent writes stays open.
 */
function checkOpenFiles(question: CheckTarget, lanes: number, { openFiles }: Readiness, findings: Findings): void {
  const { soft } = openFiles;
  if (soft === undefined || question.target?.kind?.$case !== 'file') return;
  const { objects, leaseObjects } = question;
  const sync = question.bytes > 0n ? question.target.kind.value.sync : 'never';
  const capped = (files: bigint): bigint => (files < objects ? files : objects);
  const certain = capped(sync === 'range' ? leaseObjects : BigInt(lanes));
  const possible = sync === 'end' ? objects : capped(certain * 2n);
  if (possible + BigInt(otherFiles) <= soft) return;
  const what = (files: bigint, verb: string): string =>
    `this agent may open ${soft} files, and with sync: ${sync} ${verb} ${files} open at a time`;
  const mend = `raise the limit for the agent (ulimit -n, LimitNOFILE) to ${possible + BigInt(otherFiles)}, or use fewer files or sync: file`;
  if (certain + BigInt(otherFiles) > soft) {
    findings.error(new SeedstormError({ code: 'SEEDSTORM_E_LIMIT', what: what(certain, 'it has'), mend }));
  } else {
    findings.warning({ what: what(possible, 'it may have'), mend });
  }
}

function checkAsynchronousIo(
  question: CheckTarget,
  lanes: number,
  { mayLock }: Host,
  readiness: Readiness,
  findings: Findings,
): void {
  const { noIoUring, noLinuxAio, linuxAioLeft, lockedMemoryBytes } = readiness;
  const operations = lanes * question.queueDepth;
  if (noIoUring === undefined) {
    const wanted = question.blockBytes * BigInt(operations);
    if (mayLock || lockedMemoryBytes.soft === undefined || wanted <= lockedMemoryBytes.soft) return;
    findings.warning({
      what: `this agent may lock ${room(lockedMemoryBytes.soft)}, and the buffers of its lanes are ${room(wanted)}: io_uring may have to map them anew for each I/O`,
      mend: 'raise the limit of locked memory for the agent (ulimit -l, LimitMEMLOCK)',
    });
    return;
  }
  const aioTooSmall = linuxAioLeft !== undefined && linuxAioLeft < operations;
  const noAio = noLinuxAio ?? (aioTooSmall ? `this host takes ${linuxAioLeft} more of its I/Os` : undefined);
  const instead =
    noAio === undefined ? 'Linux AIO is used instead' : `nor Linux AIO: ${noAio}; I/O goes by helper threads`;
  findings.warning({
    what: `io_uring cannot be used: ${noIoUring}; ${instead}`,
    mend: `let the agent use io_uring (kernel.io_uring_disabled = 0, a seccomp profile that allows it)${aioTooSmall ? ', or raise fs.aio-max-nr' : ''}`,
  });
}

/** Memory that this process can count on at most, in bytes: the host's, or its control group's where that is less. */
export function memoryBytes(): bigint {
  const constrained = process.constrainedMemory();
  return BigInt(constrained > 0 && constrained < totalmem() ? constrained : totalmem());
}

/** What the kernel says of this process and of NUMA. */
export function lookAtKernel(): Pick<Host, 'mayLock' | 'balancesNuma'> {
  const capabilities = /^CapEff:\s*([0-9a-f]+)/mu.exec(textOf('/proc/self/status'))?.[1] ?? '0';
  return {
    mayLock: ((BigInt(`0x${capabilities}`) >> capIpcLock) & 1n) === 1n,
    balancesNuma: textOf('/proc/sys/kernel/numa_balancing').trim() === '1',
  };
}

/** A container may hide these. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
