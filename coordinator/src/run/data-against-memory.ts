/**
 * The data against the memory of those who read it: whether caches of the clients could answer reads in the storage's place.
 * The check before a run and the result of a stage say the same by it. Pure.
 */
import type { MemoryResult } from '@seedstorm/proto';
import { formatBytes } from '../plan/format.js';
import type { ResolvedPlan } from '../plan/index.js';
import type { Participant } from './participant.js';

/** Data of more than this many times the memory is not kept in it to a part that would matter. */
const safeTimes = 2n;

/** Whether so much memory could answer reads of so much data. */
export function couldCache(dataBytes: bigint, memoryBytes: bigint): boolean {
  return dataBytes < safeTimes * memoryBytes;
}

/** Memory of hosts, each counted once; `machine` tells one running kernel from another. */
export function memoryOf(clients: readonly { readonly machine: string; readonly memoryBytes: bigint }[]): {
  readonly bytes: bigint;
  readonly hosts: number;
} {
  const perMachine = new Map(clients.map(({ machine, memoryBytes }) => [machine, memoryBytes]));
  return { bytes: [...perMachine.values()].reduce((sum, bytes) => sum + bytes, 0n), hosts: perMachine.size };
}

/** The sentence about data that clients could keep. */
export function cacheSentence(dataBytes: bigint, memoryBytes: bigint): string {
  return (
    `the data, ${formatBytes(dataBytes, 'binary')}, are less than twice the memory of the agents' hosts, ` +
    `${formatBytes(memoryBytes, 'binary')}: where direct I/O is not used, caches may answer reads`
  );
}

/** What a stage that reads says of it. `readsDirectly`: past every cache of the clients. */
export function memoryResult(
  { units }: ResolvedPlan['layout'],
  { unitBytes }: ResolvedPlan['content'],
  all: readonly Participant[],
  readsDirectly: boolean,
): MemoryResult {
  const clients = all.map(({ member, memoryBytes }) => ({ machine: member.hello.machine, memoryBytes }));
  const { bytes, hosts } = memoryOf(clients);
  const dataBytes = BigInt(units) * BigInt(unitBytes);
  return { dataBytes, memoryBytes: bytes, hosts, cacheable: !readsDirectly && couldCache(dataBytes, bytes) };
}
