/** From the engine's snapshot to the wire's report. Pure. */
import type { Reread, TaskSnapshot } from '@seedstorm/native';
import {
  classCounters,
  type Interval,
  type LeaseProgress,
  poolCounters,
  type Reading,
  type Report,
  type SecondCounters,
  type StoreWork,
} from '@seedstorm/proto';
import { shardProgress } from './overwrites.js';
import type { UsedCpu } from './process-cpu.js';

/** What every report holds, whatever the stage does. */
export type ReportFrame = Pick<Report, 'stage' | 'sequence' | 'hostNetwork' | keyof UsedCpu>;

/** What a snapshot lacks for a report. */
export interface ReportContext {
  readonly frame: ReportFrame;
  readonly reader: string;
  /** The epoch of each lease, by its id. */
  readonly epochs: ReadonlyMap<bigint, bigint>;
  /** Keeps the bytes of a fault, and says where; empty when it does not. */
  readonly keep: (finding: TaskSnapshot['findings'][number]) => string;
  /** Faults whose bytes were to be kept and could not, beyond those of the snapshot. */
  readonly evidenceSkipped: () => number;
  /** Seconds that were not told yet. */
  readonly seconds: readonly SecondCounters[];
}

/** What was asked of a store, on the wire. */
function storeWork({ store }: TaskSnapshot): StoreWork | undefined {
  return (
    store && {
      requests: store.requests.map(({ kind, requests, attempts, failed }) => ({
        kind,
        requests: BigInt(requests),
        attempts: BigInt(attempts),
        failed: BigInt(failed),
      })),
      statuses: store.statuses.map(({ kind, status, count }) => ({ kind, status, count: BigInt(count) })),
    }
  );
}

/** The report of a snapshot. */
export function reportOf(snapshot: TaskSnapshot, context: ReportContext): Report {
  return {
    ...context.frame,
    agentNs: snapshot.takenNs,
    startedNs: snapshot.startedNs,
    lastDoneNs: snapshot.lastDoneNs,
    pools: snapshot.pools.map(poolCounters),
    classes: classCounters(snapshot.pools),
    lastPacedNs: snapshot.lastPacedNs,
    lateNs: BigInt(snapshot.lateNs),
    firstDoneNs: snapshot.firstDoneNs,
    seconds: [...context.seconds],
    leases: snapshot.ranges.flatMap((range) => leaseProgress(range, context)),
    findings: snapshot.findings.map((finding) => ({
      kind: finding.kind,
      object: BigInt(finding.object),
      path: finding.path,
      offset: BigInt(finding.offset),
      length: BigInt(finding.length),
      unit: BigInt(finding.unit),
      generation: finding.generation,
      detail: finding.detail,
      reader: context.reader,
      writer: '',
      verdict: '',
      readers: finding.again === undefined ? [] : [readingOf(finding.again)],
      fingerprint: finding.fingerprint,
      host: '',
      lane: finding.lane,
      readNs: finding.readNs,
      readUnixMs: 0n,
      writtenAfterUnixMs: 0n,
      writtenBeforeUnixMs: 0n,
      evidence: context.keep(finding),
    })),
    findingCounts: snapshot.findingCounts.map(({ kind, count }) => ({ kind, count: BigInt(count) })),
    notes: snapshot.notes,
    ioEngine: snapshot.ioEngine,
    store: storeWork(snapshot),
    errors: snapshot.errors.map(({ kind, path, lane, count, first: { code, what, mend } }) => ({
      kind,
      path,
      agent: '',
      lane,
      count: BigInt(count),
      first: { code, what, mend },
    })),
    cellsInDoubt: BigInt(snapshot.cellsInDoubt),
    evidenceSkipped: BigInt(snapshot.evidenceSkipped + context.evidenceSkipped()),
  };
}

/** A second look on the wire; who and when is the coordinator's to say. */
export function readingOf({ direct, saw, detail }: Reread): Reading {
  return { agent: '', host: '', direct, saw, detail, unixMs: 0n };
}

function leaseProgress(range: TaskSnapshot['ranges'][number], { epochs }: ReportContext): LeaseProgress[] {
  const epoch = epochs.get(range.id);
  if (epoch === undefined) return [];
  const error =
    range.error === undefined ? undefined : { code: range.error.code, what: range.error.what, mend: range.error.mend };
  return [
    {
      leaseId: range.id,
      epoch,
      done: intervals(range.done),
      written: intervals(range.written),
      error,
      complete: range.complete,
      failed: intervals(range.failed),
      shards: shardProgress(range.shards),
      ended: range.ended,
    },
  ];
}

/** The engine gives intervals flat: first, end, first, end, … */
function intervals(flat: readonly number[]): Interval[] {
  const pairs: Interval[] = [];
  for (let i = 0; i + 1 < flat.length; i += 2)
    pairs.push({ first: BigInt(flat[i] ?? 0), end: BigInt(flat[i + 1] ?? 0) });
  return pairs;
}
