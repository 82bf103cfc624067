import { Engine, MemoryStore, Task, type TaskSnapshot } from '@seedstorm/native';
import { bucketOf, decodeHistogram, Report } from '@seedstorm/proto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { reportOf } from './report.js';
import { taskSpec } from './task-spec.js';
import { prepareStage } from './testing.js';

const context = {
  frame: { stage: 3, sequence: 7n, hostNetwork: undefined, processCpuUserNs: 0n, processCpuSystemNs: 0n },
  reader: 'agent-1',
  epochs: new Map([[5n, 2n]]),
  keep: () => '',
  evidenceSkipped: () => 0,
  seconds: [],
};

const snapshot = (changes: Partial<TaskSnapshot>): TaskSnapshot => ({
  takenNs: 9n,
  lanesReady: 2,
  allBegunNs: 1n,
  startedNs: 1n,
  lastDoneNs: 8n,
  firstDoneNs: 0n,
  lastPacedNs: 0n,
  lateNs: 0,
  pools: [],
  ranges: [],
  findings: [],
  findingCounts: [],
  evidenceSkipped: 0,
  cellsInDoubt: 0,
  errors: [],
  notes: [],
  ioEngine: '',
  ...changes,
});

/** There and back over the wire. */
const sent = (report: Report): Report => Report.decode(Report.encode(report).finish());

describe('a report', () => {
  test('tells of each lease what is done and what is only written, under the epoch that it was granted with', () => {
    const range = {
      id: 5n,
      done: [0, 4, 9, 10],
      written: [0, 10],
      failed: [4, 9],
      shards: [],
      ended: false,
      complete: false,
    };
    const report = sent(reportOf(snapshot({ ranges: [range] }), context));
    expect(report).toMatchObject({ stage: 3, sequence: 7n, agentNs: 9n, startedNs: 1n, lastDoneNs: 8n });
    expect(report.leases).toEqual([
      {
        leaseId: 5n,
        epoch: 2n,
        done: [
          { first: 0n, end: 4n },
          { first: 9n, end: 10n },
        ],
        written: [{ first: 0n, end: 10n }],
        error: undefined,
        complete: false,
        failed: [{ first: 4n, end: 9n }],
        shards: [],
        ended: false,
      },
    ]);
  });

  test('tells why a lease failed, with code and mend', () => {
    const error = { code: 'SEEDSTORM_E_DISK_FULL', what: 'no room in /t/0', mend: 'free some space' };
    const ranges = [{ id: 5n, done: [], written: [], failed: [], shards: [], ended: false, complete: false, error }];
    expect(sent(reportOf(snapshot({ ranges }), context)).leases[0]?.error).toEqual(error);
  });

  test('says nothing of a lease whose epoch is not known: it would be refused with all the rest', () => {
    const ranges = [{ id: 6n, done: [0, 1], written: [0, 1], failed: [], shards: [], ended: true, complete: true }];
    expect(reportOf(snapshot({ ranges }), context).leases).toEqual([]);
  });

  test('names each fault in full, and who found it', () => {
    const finding = {
      kind: 'bit flip',
      object: 1,
      path: '/t/run/1',
      offset: 2 ** 41 + 7,
      length: 1,
      unit: 2 ** 40,
      generation: 3,
      detail: '1 bit differs',
      lane: 1,
      readNs: 2n ** 50n,
      fingerprint: 'bytes 00ff',
    };
    const again = { direct: true, saw: 'right', detail: '', readNs: 2n ** 50n + 1n };
    const findingCounts = [{ kind: 'bit flip', count: 12 }];
    const findings = [{ ...finding, again, actual: new Uint8Array([1]), expected: new Uint8Array([2]) }];
    const keep = ({ path, actual }: (typeof findings)[number]): string => `/kept${path}/${actual.length}`;
    const report = sent(
      reportOf(snapshot({ findings, findingCounts, evidenceSkipped: 2 }), {
        ...context,
        keep: keep as typeof context.keep,
        evidenceSkipped: () => 3,
      }),
    );
    expect(report.evidenceSkipped).toBe(5n);
    expect(report.findings).toEqual([
      {
        ...finding,
        object: 1n,
        offset: 2n ** 41n + 7n,
        length: 1n,
        unit: 2n ** 40n,
        reader: 'agent-1',
        writer: '',
        verdict: '',
        readers: [{ agent: '', host: '', direct: true, saw: 'right', detail: '', unixMs: 0n }],
        host: '',
        readUnixMs: 0n,
        writtenAfterUnixMs: 0n,
        writtenBeforeUnixMs: 0n,
        evidence: '/kept/t/run/1/1',
      },
    ]);
    expect(report.findingCounts).toEqual([{ kind: 'bit flip', count: 12n }]);
  });
});

describe('latency on its way from the lanes to the coordinator', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await Engine.start({ topology: { synthetic: 'numanode:2 core:1 pu:1' }, pin: false });
  });
  afterAll(() => engine.close());

  test('every operation is counted once, in the pool that did it, however often a report is made', async () => {
    const task = await Task.prepare(engine, taskSpec(prepareStage({ units: 4096n, blockBytes: 4096n }), 2));
    const counted: number[] = [0, 0];
    let maxNs = 0;
    let operations: number[] = [];
    const take = async (): Promise<void> => {
      const report = sent(reportOf(await task.snapshot(), context));
      operations = report.pools.map((pool) => Number(pool.operations));
      for (const { pool, service } of report.classes) {
        const gains = decodeHistogram(service ?? { bucketGaps: [], counts: [], maxNs: 0n });
        counted[pool] = gains.counts.reduce((sum, count) => sum + count, counted[pool] ?? 0);
        maxNs = Math.max(maxNs, gains.maxNs);
        // The greatest value's bucket is the last that has gained anything yet.
        expect(Math.max(0, ...gains.buckets)).toBeLessThanOrEqual(bucketOf(gains.maxNs));
      }
    };
    task.addRange(1n, 0n, 4096n);
    task.beginAt(0n);
    task.finish();
    let ended = false;
    const end = task.ended().then(() => {
      ended = true;
    });
    while (!ended) {
      await take();
    }
    await end;
    await take();
    await take();
    expect(operations.reduce((sum, count) => sum + count)).toBe(4096 * 16);
    expect(counted).toEqual(operations);
    expect(maxNs).toBeGreaterThan(0);
  });

  test('a latency lies in the bucket that TypeScript gives it', async () => {
    // The largest value crosses exactly: of one operation, its bucket, made in Rust, must be the one made here.
    for (const units of [1, 1, 4, 16, 64, 256]) {
      const memory = MemoryStore.create(65_536, units, 1e9);
      const target = { kind: { $case: 'memory', value: { limitBytes: 0n } } } as const;
      const spec = taskSpec(
        prepareStage({ units: BigInt(units), unitsPerObject: 256n, blockBytes: BigInt(units) * 65_536n, target }),
        2,
      );
      const task = await Task.prepare(engine, spec, memory);
      task.addRange(1n, 0n, BigInt(units));
      task.beginAt(0n);
      task.finish();
      await task.ended();
      const { pools } = await task.snapshot();
      const histograms = pools.flatMap(({ classes }) => classes.map(({ service }) => service));
      const [one, ...others] = histograms.filter(({ counts }) => counts.length > 0);
      expect(others).toEqual([]);
      expect([...(one?.buckets ?? [])]).toEqual([bucketOf(one?.maxNs ?? 0)]);
      expect([...(one?.counts ?? [])]).toEqual([1]);
    }
  });
});
