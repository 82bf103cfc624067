/** An engine's counters of one pool, as the wire has them. Agents tell theirs, and the coordinator those of its own lanes. */
import type { PoolCounters } from './generated/seedstorm/v1/common.js';

/** Counters as an engine gives them: the wire's, with plain numbers. */
export type PlainCounters = { readonly [Name in keyof PoolCounters]: number };

/** The wire's counters. */
export function poolCounters(plain: PlainCounters): PoolCounters {
  return {
    numaNode: plain.numaNode,
    lanes: plain.lanes,
    operations: BigInt(plain.operations),
    bytes: BigInt(plain.bytes),
    errors: BigInt(plain.errors),
    corruptBlocks: BigInt(plain.corruptBlocks),
    syncNs: BigInt(plain.syncNs),
    syncs: BigInt(plain.syncs),
    ioNs: BigInt(plain.ioNs),
    greatestInFlight: BigInt(plain.greatestInFlight),
    receivedBytes: BigInt(plain.receivedBytes),
    cpuUserNs: BigInt(plain.cpuUserNs),
    cpuSystemNs: BigInt(plain.cpuSystemNs),
    existed: BigInt(plain.existed),
    foreign: BigInt(plain.foreign),
    folders: BigInt(plain.folders),
    rampOperations: BigInt(plain.rampOperations),
    rampBytes: BigInt(plain.rampBytes),
  };
}
