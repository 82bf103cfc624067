/**
 * What one incarnation of an agent reported of one stage: counters by NUMA pool, latency, rates. Reports are cumulative
 * and numbered, so that one that comes twice counts once. Must not know of leases: coverage is the ledger's.
 */
import { SeedstormError } from '@seedstorm/errors';
import {
  decodeHistogram,
  type HostNetwork,
  type PoolCounters,
  type Report,
  type StoreWork,
  type ClassCounters as WireClass,
} from '@seedstorm/proto';
import { type ClassCounts, type ClassGains, classKey } from './class-totals.js';
import { indeterminate } from './findings.js';
import { LatencyTotals } from './latency-totals.js';
import { count } from './numbers.js';
import { storeFault } from './store-totals.js';

/** Pools that one agent may report; hwloc knows of no machine with more NUMA nodes. */
const maxPools = 1024;
/** Classes of operations that an agent may tell of; there are fewer. */
const maxClasses = 128;
/** Letters of a class's name; all are shorter. */
const maxClassLength = 20;
/** Kinds of findings; there are fewer. */
const maxKinds = 64;
/** Letters of the list of ways that I/O can go; all of them together are shorter. */
const maxEngineLength = 100;
/** Ports of a host that an agent may report. */
const maxPorts = 64;
/** Rates are over at least this time, so that two reports close together give no wild number. */
const rateWindowNs = 500_000_000n;
/** A rate that is older than this is no rate any more. */
const rateFreshNs = 3_000_000_000n;
/** Counters of a pool that may only rise. */
const rising = [
  'operations',
  'bytes',
  'errors',
  'corruptBlocks',
  'syncNs',
  'syncs',
  'ioNs',
  'greatestInFlight',
  'receivedBytes',
  'existed',
  'foreign',
  'folders',
  'rampOperations',
  'rampBytes',
] as const;

interface Sample {
  readonly agentNs: bigint;
  readonly bytes: number;
  readonly operations: number;
}

/** Counters of one pool and its latency. */
export interface PoolTotals {
  counters: PoolCounters;
  readonly latency: LatencyTotals;
}

/** One incarnation of an agent in one stage. */
export class AgentTotals {
  readonly pools: PoolTotals[] = [];
  /** What it did by class of operations, all pools. */
  readonly classes = new Map<string, ClassCounts>();
  readonly findingCounts = new Map<string, number>();
  /** Which ways its I/O went; empty when none did. */
  ioEngine = '';
  /** Faults whose bytes it could not keep. */
  evidenceSkipped = 0;
  /** Blocks that it read of which nobody knows which generation they hold. */
  cellsInDoubt = 0;
  startedNs = 0n;
  lastDoneNs = 0n;
  /** Under a rate: when its last operation came back, by its clock; 0: none yet. */
  lastPacedNs = 0n;
  /** Under a rate: the longest that a lane's latest operation was submitted after its instant. */
  lateNs = 0n;
  /** When the first of its lanes was done with all that it did, by its clock; 0: none yet. */
  firstDoneNs = 0n;
  /** CPU time of its process. */
  processCpuUserNs = 0n;
  processCpuSystemNs = 0n;
  /** What it asked of a store. */
  store: StoreWork | undefined;
  /** What the ports of its host carried. */
  hostNetwork: HostNetwork | undefined;
  #sequence = 0n;
  #before: Sample | undefined;
  #latest: Sample | undefined;
  #latestAtNs = 0n;
  #bytesPerSecond = 0;
  #operationsPerSecond = 0;

  /** The last report that was taken; it, and all before it, need not come again. */
  get sequence(): bigint {
    return this.#sequence;
  }

  /**
   * Takes a report, received at `atNs`. Gives what times gained, pool by pool and by class, or undefined when it is not the next
   * one: it came before and was counted, or it overtook another on a new stream and will be sent again behind it.
   * Latency and findings are told once only, so that none may be passed over.
   * @throws SeedstormError MESSAGE_INVALID when the report cannot be true; nothing of it is taken.
   */
  take(report: Report, atNs: bigint): ClassGains[] | undefined {
    if (report.sequence !== this.#sequence + 1n) return undefined;
    this.#check(report);
    const gains = report.classes.map(gainsOf);
    const classes = classesOf(report);
    this.#checkClasses(classes);
    this.#sequence = report.sequence;
    for (const [i, counters] of report.pools.entries()) {
      const pool = this.pools[i];
      if (pool === undefined) this.pools.push({ counters, latency: new LatencyTotals() });
      else pool.counters = counters;
    }
    for (const { part, pool, service } of gains) if (!part) this.pools[pool]?.latency.add(service);
    for (const [key, counts] of classes) this.classes.set(key, counts);
    for (const { kind, count: found } of report.findingCounts) this.findingCounts.set(kind, Number(found));
    this.ioEngine = report.ioEngine;
    this.evidenceSkipped = Number(report.evidenceSkipped);
    this.cellsInDoubt = Number(report.cellsInDoubt);
    this.startedNs = report.startedNs;
    this.lastDoneNs = report.lastDoneNs;
    this.lastPacedNs = report.lastPacedNs;
    this.lateNs = report.lateNs;
    this.firstDoneNs = report.firstDoneNs;
    this.processCpuUserNs = report.processCpuUserNs;
    this.processCpuSystemNs = report.processCpuSystemNs;
    this.store = report.store ?? this.store;
    this.hostNetwork = report.hostNetwork ?? this.hostNetwork;
    this.#rate({ agentNs: report.agentNs, bytes: this.sum('bytes'), operations: this.sum('operations') }, atNs);
    return gains;
  }

  /** A counter over all pools. */
  sum(counter: (typeof rising)[number]): number {
    return this.pools.reduce((total, pool) => total + Number(pool.counters[counter]), 0);
  }

  /** Faults found, of all kinds, named or not. */
  get findings(): number {
    const all = [...this.findingCounts.values()].reduce((total, found) => total + found, 0);
    return all - this.indeterminatePlaces;
  }

  /** Places that hold an old generation which may be a late write. */
  get indeterminatePlaces(): number {
    return this.findingCounts.get(indeterminate) ?? 0;
  }

  /** Bytes a second in the last second or so; 0 when nothing was heard for three. */
  bytesPerSecond(nowNs: bigint): number {
    return nowNs - this.#latestAtNs < rateFreshNs ? this.#bytesPerSecond : 0;
  }

  /** Operations a second in the last second or so. */
  operationsPerSecond(nowNs: bigint): number {
    return nowNs - this.#latestAtNs < rateFreshNs ? this.#operationsPerSecond : 0;
  }

  #check(report: Report): void {
    if (report.pools.length > maxPools) wrong(`${report.pools.length} pools, the limit is ${maxPools}`);
    if (report.pools.length < this.pools.length) wrong('a pool is gone');
    for (const [i, counters] of report.pools.entries()) {
      const before = this.pools[i]?.counters;
      if (before !== undefined && before.numaNode !== counters.numaNode)
        wrong(`the pool of NUMA node ${before.numaNode} is now of node ${counters.numaNode}`);
      for (const name of rising) {
        count(counters[name], name);
        if (before !== undefined && counters[name] < before[name])
          wrong(`${name} went back from ${before[name]} to ${counters[name]}`);
      }
    }
    if (this.#latest !== undefined && report.agentNs < this.#latest.agentNs) wrong('its clock went back');
    if (report.startedNs > report.agentNs || report.lastDoneNs > report.agentNs) wrong('it tells of its future');
    if (report.lastPacedNs > report.agentNs || report.firstDoneNs > report.agentNs) wrong('it tells of its future');
    if (report.lastDoneNs < this.lastDoneNs) wrong('its last I/O went back');
    const fault = report.store === undefined ? undefined : storeFault(report.store);
    if (fault !== undefined) wrong(fault);
    if (report.ioEngine.length > maxEngineLength) wrong('its I/O goes more ways than there are');
    if ((report.hostNetwork?.ports.length ?? 0) > maxPorts) wrong(`more than ${maxPorts} ports`);
    if (report.findingCounts.length > maxKinds) wrong('more kinds of findings than there are');
    for (const { kind, count: found } of report.findingCounts) {
      const before = this.findingCounts.get(kind) ?? 0;
      if (count(found, 'a count of findings') < before) wrong(`${kind} went back from ${before} to ${found}`);
    }
  }

  #checkClasses(classes: ReadonlyMap<string, ClassCounts>): void {
    if (classes.size > maxClasses) wrong(`more than ${maxClasses} classes of operations`);
    for (const [key, before] of this.classes) {
      const counts = classes.get(key);
      if (counts === undefined) wrong(`${key} is gone`);
      for (const name of ['operations', 'bytes', 'errors'] as const)
        if (counts[name] < before[name]) wrong(`${name} of ${key} went back from ${before[name]} to ${counts[name]}`);
    }
  }

  #rate(sample: Sample, atNs: bigint): void {
    this.#latest = sample;
    this.#latestAtNs = atNs;
    if (this.#before === undefined) {
      const startedNs = this.startedNs === 0n ? sample.agentNs : this.startedNs;
      this.#before = { agentNs: startedNs, bytes: 0, operations: 0 };
    }
    const overNs = sample.agentNs - this.#before.agentNs;
    if (overNs < rateWindowNs) return;
    const seconds = Number(overNs) / 1e9;
    this.#bytesPerSecond = (sample.bytes - this.#before.bytes) / seconds;
    this.#operationsPerSecond = (sample.operations - this.#before.operations) / seconds;
    this.#before = sample;
  }
}

function gainsOf({ pool, operation, size, part, service, response }: WireClass): ClassGains {
  const nothing = { buckets: [], counts: [], maxNs: 0 };
  return {
    pool,
    operation,
    size,
    part,
    service: service === undefined ? nothing : decodeHistogram(service),
    ...(response === undefined ? {} : { response: decodeHistogram(response) }),
  };
}

/** What a report says of each class, over all pools. */
function classesOf({ classes, pools }: Report): Map<string, ClassCounts> {
  const sums = new Map<string, ClassCounts>();
  for (const { pool, operation, size, part, operations, bytes, errors } of classes) {
    if (pool >= pools.length) wrong('a class of operations is of no pool');
    if (operation.length > maxClassLength || size.length > maxClassLength) wrong('a class has too long a name');
    const key = classKey({ operation, size });
    const before = sums.get(key);
    sums.set(key, {
      operation,
      size,
      part,
      operations: count(operations, 'operations') + (before?.operations ?? 0),
      bytes: count(bytes, 'bytes') + (before?.bytes ?? 0),
      errors: count(errors, 'errors') + (before?.errors ?? 0),
    });
  }
  return sums;
}

function wrong(what: string): never {
  throw new SeedstormError({ code: 'SEEDSTORM_E_MESSAGE_INVALID', what: `a report cannot be true: ${what}` });
}
