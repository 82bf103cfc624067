/** Messages as an agent sends them, for specs. */
import {
  type ClassCounters,
  encodeHistogram,
  type Finding,
  type Hello,
  type PoolCounters,
  type Report,
} from '@seedstorm/proto';

/** How an agent introduces itself. */
export function hello(changes: Partial<Hello> = {}): Hello {
  return {
    protocol: 1,
    version: '0.1.0',
    name: 'agent-1',
    incarnation: 1n,
    host: 'host-1',
    machine: 'machine-1',
    cpuset: '0-3',
    pid: 1234,
    ...changes,
  };
}

/** Counters of a pool. */
export function counters(changes: Partial<PoolCounters> = {}): PoolCounters {
  return {
    numaNode: 0,
    lanes: 2,
    operations: 0n,
    bytes: 0n,
    errors: 0n,
    corruptBlocks: 0n,
    syncNs: 0n,
    syncs: 0n,
    ioNs: 0n,
    greatestInFlight: 0n,
    receivedBytes: 0n,
    cpuUserNs: 0n,
    cpuSystemNs: 0n,
    existed: 0n,
    foreign: 0n,
    folders: 0n,
    rampOperations: 0n,
    rampBytes: 0n,
    ...changes,
  };
}

/** What a pool did of a class of operations: writes of 1 MiB, unless something else is given. */
export function classOf(changes: Partial<ClassCounters> = {}): ClassCounters {
  return {
    pool: 0,
    operation: 'write',
    size: '1MiB',
    part: false,
    operations: 0n,
    bytes: 0n,
    errors: 0n,
    service: encodeHistogram({ buckets: [], counts: [], maxNs: 0 }),
    response: undefined,
    ...changes,
  };
}

/** A report; it tells of no class of operations unless one is given. */
export function report(changes: Partial<Report> = {}): Report {
  return {
    stage: 0,
    sequence: 1n,
    agentNs: 1_000_000_000n,
    startedNs: 0n,
    lastDoneNs: 0n,
    classes: [],
    lastPacedNs: 0n,
    lateNs: 0n,
    firstDoneNs: 0n,
    seconds: [],
    processCpuUserNs: 0n,
    processCpuSystemNs: 0n,
    leases: [],
    findings: [],
    findingCounts: [],
    notes: [],
    ioEngine: '',
    hostNetwork: undefined,
    store: undefined,
    errors: [],
    evidenceSkipped: 0n,
    cellsInDoubt: 0n,
    pools: [],
    ...changes,
  };
}

/** A fault. */
export function finding(changes: Partial<Finding> = {}): Finding {
  return {
    kind: 'bit flip',
    object: 0n,
    path: '/target/run/0',
    offset: 0n,
    length: 1n,
    unit: 0n,
    generation: 0,
    detail: '',
    reader: '',
    writer: '',
    verdict: '',
    readers: [],
    fingerprint: '',
    host: '',
    lane: 0,
    readNs: 0n,
    readUnixMs: 0n,
    writtenAfterUnixMs: 0n,
    writtenBeforeUnixMs: 0n,
    evidence: '',
    ...changes,
  };
}
