import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Range } from './intervals.js';
import { Ledger } from './ledger.js';
import type { LedgerOptions } from './options.js';

const options: LedgerOptions = {
  units: 100,
  boundaryUnits: 10,
  leaseUnits: 10,
  assign: { kind: 'dynamic', placement: { kind: 'any' } },
  leaseMs: 1000,
  marginMs: 100,
  durable: true,
};

/** A ledger with one agent, and what that does with each lease. */
function worked(
  changes: Partial<LedgerOptions>,
  work: (first: number, end: number) => { done: Range[]; failed: Range[] },
): Ledger {
  const ledger = new Ledger({ ...options, ...changes });
  ledger.join('a', 1, 'h', 0);
  for (let lease = ledger.grant('a', 5); lease !== undefined; lease = ledger.grant('a', 5)) {
    const { done, failed } = work(lease.first, lease.end);
    ledger.renew('a', 1, 20);
    ledger.report({ agent: 'a', incarnation: 1, leaseId: lease.id, epoch: lease.epoch, done, written: done, failed });
  }
  return ledger;
}

describe('units that fail with an error that passes', () => {
  test('are not done, are not given to anybody again, and do not keep the pass from ending', () => {
    const ledger = worked({}, (first, end) => ({ done: [[first + 1, end]], failed: [[first, first + 1]] }));
    expect(ledger.coverage()).toMatchObject({ done: 90, failed: 10, leased: 0, free: 0, rework: 0 });
    expect([ledger.isOver(), ledger.isAccountedFor(), ledger.isComplete()]).toEqual([true, true, false]);
    expect(ledger.unfinished()).toHaveLength(10);
  });

  test('stay out of the pass that reads what this one wrote: nobody knows what is there', () => {
    const written = worked({}, (first, end) => ({ done: [[first, end - 2]], failed: [[end - 2, end]] }));
    const seen: Range[] = [];
    const read = worked({ leftOut: written.unfinished() }, (first, end) => {
      seen.push([first, end]);
      return { done: [[first, end]], failed: [] };
    });
    expect(seen).toEqual(Array.from({ length: 10 }, (_, object) => [object * 10, object * 10 + 8]));
    expect(read.coverage()).toMatchObject({ done: 80, leftOut: 20, free: 0 });
    expect([read.isOver(), read.isAccountedFor()]).toEqual([true, true]);
  });

  test('what an agent says of its units, however contradictory, never counts one twice', () => {
    const range = fc.tuple(fc.nat(9), fc.nat(9)).map(([a, b]): Range => [Math.min(a, b), Math.max(a, b) + 1]);
    fc.assert(
      fc.property(fc.array(fc.record({ done: range, failed: range }), { maxLength: 6 }), (reports) => {
        const ledger = new Ledger({ ...options, units: 10 });
        ledger.join('a', 1, 'h', 0);
        const lease = ledger.grant('a', 0);
        if (lease === undefined) throw new Error('nothing to do');
        for (const { done, failed } of reports) {
          ledger.report({
            agent: 'a',
            incarnation: 1,
            leaseId: lease.id,
            epoch: lease.epoch,
            done: [done],
            written: [],
            failed: [failed],
          });
          const { units, done: all, leased, free, failed: lost } = ledger.coverage();
          expect(all + leased + free + lost).toBe(units);
        }
      }),
    );
  });

  test('outside of the lease they are refused', () => {
    const ledger = new Ledger(options);
    ledger.join('a', 1, 'h', 0);
    const lease = ledger.grant('a', 0);
    const report = {
      agent: 'a',
      incarnation: 1,
      leaseId: lease?.id ?? 0,
      epoch: lease?.epoch ?? 0,
      done: [],
      written: [],
    };
    expect(ledger.report({ ...report, failed: [[0, 11]] })).toMatchObject({ kind: 'refused', reason: 'outside-lease' });
  });
});

test('of a unit that is done it is known who did it and between which times', () => {
  const ledger = worked({}, (first, end) => ({
    done: first === 30 ? [] : [[first, end]],
    failed: first === 30 ? [[30, 40]] : [],
  }));
  expect(ledger.doneBy(29)).toEqual({ agent: 'a', afterMs: 20, beforeMs: 20 });
  expect(ledger.doneBy(0)).toEqual({ agent: 'a', afterMs: 5, beforeMs: 20 });
  expect(ledger.doneBy(30)).toBeUndefined();
});
