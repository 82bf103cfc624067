import { bucketOf, encodeHistogram, type Report, type SparseHistogram } from '@seedstorm/proto';
import { describe, expect, test } from 'vitest';
import { classOf, counters, report } from '../testing/messages.js';
import { AgentTotals } from './agent-totals.js';

const second = 1_000_000_000n;

const oneOf5us = encodeHistogram({ buckets: [bucketOf(5000)], counts: [1], maxNs: 5000 });

/** A report of one pool that has moved this much. */
const moved = (sequence: bigint, operations: bigint, changes: Partial<Report> = {}): Report =>
  report({
    sequence,
    agentNs: sequence * second,
    startedNs: 1n,
    lastDoneNs: sequence * second - 1n,
    pools: [counters({ operations, bytes: operations * 4096n })],
    classes: [classOf({ operations, bytes: operations * 4096n, service: oneOf5us })],
    ...changes,
  });

/** A report whose one class has these times. */
const timed = (service: SparseHistogram): Partial<Report> => ({
  classes: [classOf({ operations: 11n, bytes: 45_056n, service })],
});

describe('the totals of an agent', () => {
  test('a report that comes again counts once: counters, latency and rate stay as they are', () => {
    const totals = new AgentTotals();
    expect(totals.take(moved(1n, 10n), second)).toHaveLength(1);
    expect(totals.take(moved(2n, 30n), 2n * second)).toHaveLength(1);
    const rate = totals.bytesPerSecond(2n * second);
    expect(totals.take(moved(2n, 30n), 3n * second)).toBeUndefined();
    expect(totals.take(moved(1n, 10n), 3n * second)).toBeUndefined();
    expect([totals.sum('operations'), totals.sum('bytes')]).toEqual([30, 30 * 4096]);
    expect(totals.pools[0]?.latency.summary().count).toBe(2n);
    expect(totals.bytesPerSecond(2n * second)).toBe(rate);
    expect(totals.sequence).toBe(2n);
  });

  test('a report that overtook another waits for it: latency and findings of neither are passed over', () => {
    const totals = new AgentTotals();
    totals.take(moved(1n, 10n), second);
    expect(totals.take(moved(3n, 40n), second)).toBeUndefined();
    expect(totals.sequence).toBe(1n);
    for (const [sequence, operations] of [
      [2n, 20n],
      [3n, 40n],
    ] as const) {
      expect(totals.take(moved(sequence, operations), second)).toHaveLength(1);
    }
    expect(totals.pools[0]?.latency.summary().count).toBe(3n);
    expect(totals.sum('operations')).toBe(40);
  });

  test('a first report that is not the first waits too', () => {
    const totals = new AgentTotals();
    for (const sequence of [0n, 2n, 2n ** 64n - 1n]) {
      expect(totals.take(report({ sequence }), second)).toBeUndefined();
    }
    expect(totals.sequence).toBe(0n);
  });

  test('pools add up, and a pool may appear later', () => {
    const totals = new AgentTotals();
    totals.take(report({ sequence: 1n, pools: [counters({ bytes: 1n, syncs: 1n })] }), second);
    const pools = [counters({ bytes: 2n, syncs: 1n }), counters({ numaNode: 1, bytes: 5n, errors: 3n })];
    totals.take(report({ sequence: 2n, pools }), second);
    expect([totals.sum('bytes'), totals.sum('errors'), totals.sum('syncs')]).toEqual([7, 3, 1]);
    expect(totals.pools.map(({ counters: { numaNode } }) => numaNode)).toEqual([0, 1]);
  });

  test('classes add up over pools, and parts of operations are told and not counted with them', () => {
    const totals = new AgentTotals();
    const gains = totals.take(
      report({
        pools: [counters({ operations: 2n }), counters({ numaNode: 1, operations: 3n })],
        classes: [
          classOf({ operation: 'read', size: '4KiB', operations: 2n, service: oneOf5us }),
          classOf({ operation: 'first-byte', size: '4KiB', part: true, operations: 2n, service: oneOf5us }),
          classOf({ operation: 'read', size: '4KiB', pool: 1, operations: 3n, errors: 1n, service: oneOf5us }),
        ],
      }),
      second,
    );
    expect(gains?.map(({ pool, operation }) => [pool, operation])).toEqual([
      [0, 'read'],
      [0, 'first-byte'],
      [1, 'read'],
    ]);
    expect([...totals.classes.values()]).toMatchObject([
      { operation: 'read', operations: 5, errors: 1 },
      { operation: 'first-byte', operations: 2 },
    ]);
    expect(totals.pools.map(({ latency }) => latency.summary().count)).toEqual([1n, 1n]);
  });

  test('the rate is that of the last second, and none when nothing was heard for three', () => {
    const totals = new AgentTotals();
    totals.take(moved(1n, 100n, { startedNs: 1n }), 10n * second);
    totals.take(moved(2n, 300n), 11n * second);
    expect(totals.bytesPerSecond(11n * second)).toBe(200 * 4096);
    expect(totals.operationsPerSecond(11n * second)).toBe(200);
    // A tenth of a second later: too short for a rate of its own.
    totals.take(moved(3n, 301n, { agentNs: 2n * second + 100_000_000n, lastDoneNs: 2n * second }), 11n * second);
    expect(totals.operationsPerSecond(13n * second)).toBe(200);
    expect(totals.operationsPerSecond(15n * second)).toBe(0);
  });

  test.each<[string, Partial<Report>]>([
    ['operations that go back', { pools: [counters({ operations: 9n, bytes: 40_960n })] }],
    ['bytes that go back', { pools: [counters({ operations: 10n, bytes: 40_959n })] }],
    ['a count beyond any stage', { pools: [counters({ operations: 2n ** 60n, bytes: 40_960n })] }],
    ['a pool that vanishes', { pools: [], classes: [] }],
    ['a pool that moves to another NUMA node', { pools: [counters({ numaNode: 1, operations: 11n, bytes: 50_000n })] }],
    ['more pools than any machine has', { pools: Array.from({ length: 1025 }, () => counters()) }],
    ['a class of a pool that is not there', { classes: [classOf({ pool: 1, operations: 11n, bytes: 45_056n })] }],
    ['a class that vanishes', { classes: [] }],
    ['operations of a class that go back', { classes: [classOf({ operations: 9n, bytes: 45_056n })] }],
    [
      'errors of a class beyond any stage',
      { classes: [classOf({ operations: 11n, bytes: 45_056n, errors: 2n ** 60n })] },
    ],
    ['a class with a name that is a book', { classes: [classOf({ operation: 'w'.repeat(21) })] }],
    [
      'more classes than there are',
      { classes: Array.from({ length: 129 }, (_, i) => classOf({ operation: `o${i}`, operations: 11n })) },
    ],
    ['a bucket that comes twice', timed({ bucketGaps: [3, 0], counts: [1n, 1n], maxNs: 9n })],
    ['a bucket that does not exist', timed({ bucketGaps: [5000], counts: [1n], maxNs: 9n })],
    ['buckets without counts', timed({ bucketGaps: [3], counts: [], maxNs: 9n })],
    ['a clock that goes back', { agentNs: second - 1n }],
    ['work that begins after the report', { startedNs: 9n * second }],
    ['work that ends after the report', { lastDoneNs: 9n * second }],
    ['a last I/O that goes back', { lastDoneNs: 1n }],
    ['a count of faults that goes back', { findingCounts: [{ kind: 'stale', count: 4n }] }],
    ['a count of faults beyond any stage', { findingCounts: [{ kind: 'zeroed', count: 2n ** 60n }] }],
    [
      'more ports than are read',
      {
        hostNetwork: {
          ports: Array.from({ length: 65 }, (_, i) => ({
            name: `eth${i}`,
            kind: 'nic',
            receivedBytes: 0n,
            existed: 0n,
            foreign: 0n,
            folders: 0n,
            rampOperations: 0n,
            rampBytes: 0n,
            sentBytes: 0n,
            errors: 0n,
            drops: 0n,
          })),
          tcpRetransmits: 0n,
        },
      },
    ],
    [
      'more kinds of faults than there are',
      { findingCounts: Array.from({ length: 65 }, (_, i) => ({ kind: `k${i}`, count: 1n })) },
    ],
  ])('%s: refused, and nothing of the report is taken', (_, lie) => {
    const totals = new AgentTotals();
    totals.take(moved(1n, 10n, { findingCounts: [{ kind: 'stale', count: 5n }] }), second);
    const state = () => [
      totals.sequence,
      totals.pools.map(({ counters: counted, latency }) => [counted, latency.summary()]),
      [...totals.findingCounts],
      [...totals.classes],
      totals.startedNs,
      totals.lastDoneNs,
    ];
    const before = state();
    const lying = moved(2n, 11n, { findingCounts: [{ kind: 'stale', count: 6n }], ...lie });
    expect(() => totals.take(lying, 2n * second)).toThrow(
      expect.objectContaining({ code: 'SEEDSTORM_E_MESSAGE_INVALID' }),
    );
    expect(state()).toEqual(before);
    // The agent's true report still counts.
    expect(totals.take(moved(2n, 12n), 2n * second)).toHaveLength(1);
    expect(totals.sum('operations')).toBe(12);
  });

  test('old generations that may be late writes are counted apart from faults', () => {
    const totals = new AgentTotals();
    const findingCounts = [
      { kind: 'stale', count: 2n },
      { kind: 'indeterminate', count: 5n },
    ];
    totals.take(moved(1n, 10n, { findingCounts }), second);
    expect([totals.findings, totals.indeterminatePlaces]).toEqual([2, 5]);
  });
});
