import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Lease, Ledger, type LedgerOptions } from '../ledger/index.js';
import { Passes } from './passes.js';

const options: LedgerOptions = {
  units: 12,
  boundaryUnits: 2,
  leaseUnits: 4,
  assign: { kind: 'dynamic', placement: { kind: 'any' } },
  leaseMs: 1000,
  marginMs: 100,
  durable: true,
  endsTogether: false,
};

function passesOf(changes: Partial<LedgerOptions> = {}, agents: readonly string[] = ['a', 'b']): Passes {
  const ledger = (): Ledger => new Ledger({ ...options, ...changes });
  const passes = new Passes(ledger(), ledger, []);
  for (const agent of agents) passes.join(agent, 1, `host-of-${agent}`, 0);
  return passes;
}

function finish(passes: Passes, { id, agent, incarnation, epoch, first, end }: Lease): number {
  const outcome = passes.report({ agent, incarnation, leaseId: id, epoch, done: [[first, end]], written: [] });
  return outcome.kind === 'applied' ? outcome.newlyDone : 0;
}

describe('passes', () => {
  test('with one holder at a time, no unit is given twice, to the next pass or while a lost holder may be at it', () => {
    const ledger = (): Ledger => new Ledger({ ...options, settleMs: 5000 });
    const passes = new Passes(ledger(), ledger, [], true);
    for (const agent of ['a', 'b']) passes.join(agent, 1, `host-of-${agent}`, 0);
    const [first, second, third] = [passes.grant('a', 1), passes.grant('b', 1), passes.grant('b', 1)];
    expect(passes.grant('b', 1)).toBeUndefined();
    if (second !== undefined) finish(passes, second);
    // What is done in this pass may be begun in the next, and nothing else of it.
    const next = passes.grant('b', 2);
    expect(next).toMatchObject({ first: second?.first, end: second?.end });
    expect([passes.lease(first?.id ?? 0)?.round, passes.lease(next?.id ?? 0)?.round]).toEqual([0, 1]);
    expect(passes.grant('b', 2)).toBeUndefined();
    passes.renew('b', 1, 1200);
    expect(passes.expire(1201).leases).toMatchObject([{ agent: 'a' }]);
    expect(passes.grant('b', 1300)).toBeUndefined();
    passes.drained('a', 1);
    expect(passes.grant('b', 1400)).toMatchObject({ first: first?.first, end: first?.end });
    expect(third?.agent).toBe('b');
  });

  test('what a lost holder may still write stays known when its pass is over', () => {
    const ledger = (): Ledger => new Ledger({ ...options, settleMs: 500 });
    const passes = new Passes(ledger(), ledger, [], true);
    for (const agent of ['a', 'b', 'c', 'd']) passes.join(agent, 1, `host-of-${agent}`, 0);
    const lost = passes.grant('a', 1);
    for (const agent of ['b', 'c', 'd']) passes.renew(agent, 1, 1200);
    expect(passes.expire(1201).leases).toHaveLength(1);
    expect(passes.allIndeterminate()).toEqual([]);
    passes.expire(1800);
    const known = [{ agent: 'a', first: lost?.first, end: lost?.end }];
    expect([passes.allIndeterminate(), passes.coverage().indeterminate]).toEqual([known, 4]);
    for (let lease = passes.grant('b', 1800); passes.whole === 0 && lease !== undefined; ) {
      finish(passes, lease);
      lease = passes.grant('b', 1800);
    }
    expect([passes.whole, passes.allIndeterminate(), passes.coverage().indeterminate]).toEqual([1, known, 4]);
  });

  test('an agent never waits at the border: the next pass begins while the one before is under way', () => {
    const passes = passesOf();
    const leases = Array.from({ length: 6 }, () => passes.grant('a', 1));
    expect(leases.map((lease) => [lease?.id, lease?.first])).toEqual(
      [0, 4, 8, 0, 4, 8].map((first, i) => [i + 1, first]),
    );
    expect([passes.whole, passes.isOver(), passes.isAccountedFor()]).toEqual([0, false, false]);
    for (const lease of leases) if (lease !== undefined) finish(passes, lease);
    expect([passes.whole, passes.coverage().done, passes.coverage().units]).toEqual([2, 24, 12]);
  });

  test('what a dead agent did not do is done by another in the same pass', () => {
    const passes = passesOf();
    const lost = passes.grant('a', 1);
    const [second, third] = [passes.grant('b', 1), passes.grant('b', 1)];
    for (const lease of [second, third]) if (lease !== undefined) finish(passes, lease);
    expect(passes.lost('a', 1, { knownDead: true }, 2).map(({ id }) => id)).toEqual([lost?.id]);
    const again = passes.grant('b', 3);
    expect([again?.first, again?.epoch]).toEqual([0, 2]);
    if (again !== undefined) finish(passes, again);
    expect(passes.whole).toBe(1);
  });

  test('who came late, was lost or fell silent is that in the next pass too', () => {
    const passes = passesOf();
    passes.join('late', 1, 'h', 5);
    passes.lost('b', 1, { knownDead: true }, 5);
    for (let i = 0; i < 4; i++) passes.grant('a', 6);
    expect(passes.grant('late', 6)?.first).toBe(4);
    expect(passes.grant('b', 6)).toBeUndefined();
    passes.join('b', 2, 'h', 7);
    expect(passes.grant('b', 7)?.incarnation).toBe(2);
  });

  test('an agent whose own data is not there begins no pass of nothing', () => {
    const writers = [{ first: 0, end: 12, agent: 'a', host: 'host-of-a' }];
    const passes = passesOf({ assign: { kind: 'dynamic', placement: { kind: 'same', writers } } });
    for (let i = 0; i < 100; i++) expect(passes.grant('b', 1)).toBeUndefined();
    expect(passes.grant('a', 1)?.first).toBe(0);
    expect(passes.coverage().free).toBeLessThanOrEqual(2 * 12 - 4);
  });

  test('a report of a lease of a pass that is over is known, and one of a lease that never was is refused', () => {
    const passes = passesOf();
    const leases = Array.from({ length: 4 }, () => passes.grant('a', 1));
    for (const lease of leases) if (lease !== undefined) finish(passes, lease);
    const [first] = leases;
    const of = { agent: 'a', incarnation: 1, epoch: 1, done: [], written: [] };
    expect(passes.report({ ...of, leaseId: first?.id ?? 0 }).kind).toBe('fenced');
    expect(passes.report({ ...of, leaseId: 99 })).toMatchObject({ kind: 'refused', reason: 'unknown-lease' });
  });

  test('whatever dies and comes back, each unit counts once a pass', () => {
    const step = fc.tuple(fc.constantFrom('grant', 'finish', 'finish-twice', 'die', 'leave'), fc.nat(2));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const passes = passesOf({}, []);
        const incarnations = [0, 0, 0];
        const held: Lease[][] = [[], [], []];
        const times = new Array<number>(12).fill(0);
        const come = (agent: number): void => {
          incarnations[agent] = (incarnations[agent] ?? 0) + 1;
          passes.join(`a${agent}`, incarnations[agent], 'h', 0);
        };
        for (const agent of [0, 1, 2]) come(agent);
        for (const [what, agent] of steps) {
          const leases = held[agent] ?? [];
          const name = `a${agent}`;
          if (what === 'grant') {
            const lease = passes.grant(name, 1);
            expect(lease).toBeDefined();
            if (lease !== undefined) leases.push(lease);
          } else if (what === 'die') {
            passes.lost(name, incarnations[agent] ?? 0, { knownDead: true }, 1);
            // It may still say what it did.
            for (const lease of leases.splice(0)) expect(finish(passes, lease)).toBe(0);
            come(agent);
          } else if (what === 'leave') {
            passes.leave(name, incarnations[agent] ?? 0);
            passes.drained(name, incarnations[agent] ?? 0);
            leases.splice(0);
            come(agent);
          } else {
            const lease = leases.shift();
            if (lease === undefined) continue;
            expect(finish(passes, lease)).toBe(lease.end - lease.first);
            if (what === 'finish-twice') expect(finish(passes, lease)).toBe(0);
            for (let unit = lease.first; unit < lease.end; unit++) times[unit] = (times[unit] ?? 0) + 1;
          }
          const { done, agents } = passes.coverage();
          expect(done).toBe(times.reduce((sum, each) => sum + each, 0));
          expect([...agents.values()].reduce((sum, each) => sum + each.done, 0)).toBe(done);
          expect(passes.whole).toBeLessThanOrEqual(Math.min(...times));
        }
      }),
    );
  });

  test('a stage that does not go by time has one pass and ends with it', () => {
    const passes = new Passes(new Ledger(options), undefined, []);
    passes.join('a', 1, 'h', 0);
    for (let lease = passes.grant('a', 1); lease !== undefined; lease = passes.grant('a', 1)) finish(passes, lease);
    expect([passes.wraps, passes.isOver(), passes.isAccountedFor(), passes.whole]).toEqual([false, true, true, 1]);
  });
});
