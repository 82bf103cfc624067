/** Messages as an agent sends them, for specs. */
import { type ClassCounters, encodeHistogram, type Finding, type Hello, PoolCounters, Report } from '@seedstorm/proto';

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
    ...PoolCounters.fromPartial({}),
    lanes: 2,
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
    ...Report.fromPartial({}),
    sequence: 1n,
    agentNs: 1_000_000_000n,
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
