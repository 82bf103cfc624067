import { describe, expect, it } from 'vitest';
import type { Range } from './intervals.js';
import type { Lease } from './lease.js';
import { Ledger } from './ledger.js';
import { type LedgerOptions, MAX_OPEN_LEASES_PER_AGENT, type WriterRange } from './options.js';

/** 100 units in objects of 10, leased by 20, by the plan's defaults in time. */
const STAGE: LedgerOptions = {
  units: 100,
  boundaryUnits: 10,
  leaseUnits: 20,
  assign: { kind: 'dynamic', placement: { kind: 'any' } },
  leaseMs: 10_000,
  marginMs: 500,
  durable: true,
};

/** A ledger with these agents, each on a host of its own, joined at 0. */
function ledgerOf(agents: readonly string[], options: Partial<LedgerOptions> = {}): Ledger {
  const ledger = new Ledger({ ...STAGE, ...options });
  for (const agent of agents) ledger.join(agent, 1, `host of ${agent}`, 0);
  return ledger;
}

function grant(ledger: Ledger, agent: string, nowMs = 0): Lease {
  const lease = ledger.grant(agent, nowMs);
  if (lease === undefined) throw new Error(`nothing was granted to ${agent}`);
  return lease;
}

function report(
  { agent, incarnation, id: leaseId, epoch }: Lease,
  done: readonly Range[],
  written: readonly Range[] = [],
) {
  return { agent, incarnation, leaseId, epoch, done, written };
}

function whole({ first, end }: Lease): Range[] {
  return [[first, end]];
}

/** Lets an agent do all that it can get, and returns its leases. */
function finish(ledger: Ledger, agent: string, nowMs: number): Lease[] {
  const leases: Lease[] = [];
  for (let lease = ledger.grant(agent, nowMs); lease !== undefined; lease = ledger.grant(agent, nowMs)) {
    ledger.report(report(lease, whole(lease)));
    leases.push(lease);
  }
  return leases;
}

describe('leases', () => {
  it('end on object boundaries, and get smaller towards the end so that all agents end together', () => {
    const ledger = ledgerOf(['a', 'b']);
    const leases = finish(ledger, 'a', 0);
    expect(leases.map(({ first, end }) => [first, end])).toEqual([
      [0, 20],
      [20, 40],
      [40, 50],
      [50, 60],
      [60, 70],
      [70, 80],
      [80, 90],
      [90, 100],
    ]);
    expect(ledger.isComplete()).toBe(true);
  });

  it('cover whole objects even where one object is larger than the target, and a last short one', () => {
    const ledger = ledgerOf(['a'], { units: 70, boundaryUnits: 30, leaseUnits: 4 });
    expect(finish(ledger, 'a', 0).map(({ first, end }) => [first, end])).toEqual([
      [0, 30],
      [30, 60],
      [60, 70],
    ]);
  });

  it('are not given to an agent whose own deadline has passed, since it would not work on them', () => {
    const ledger = ledgerOf(['a', 'b']);
    expect(ledger.grant('a', 9_999)).toBeDefined();
    expect(ledger.grant('a', 10_000)).toBeUndefined();
    expect(ledger.grant('nobody', 0)).toBeUndefined();
  });

  it('are limited per agent while there is work left in them; those that wait for a sync do not count', () => {
    const ledger = ledgerOf(['a'], { units: 4000, boundaryUnits: 1, leaseUnits: 1 });
    const leases = Array.from({ length: MAX_OPEN_LEASES_PER_AGENT }, () => grant(ledger, 'a'));
    expect(ledger.grant('a', 0)).toBeUndefined();
    const [lease] = leases;
    if (lease !== undefined) ledger.report(report(lease, [], whole(lease)));
    expect(ledger.grant('a', 0)).toBeDefined();
    expect(ledger.coverage().agents.get('a')).toMatchObject({ leases: 1025, openLeases: 1024 });
  });

  it('in static shares are equal to within one object, and a lost share is anybody’s', () => {
    const members = ['a', 'b', 'c'].map((agent) => ({ agent, incarnation: 1, host: agent }));
    const ledger = new Ledger({ ...STAGE, assign: { kind: 'static', members, nowMs: 0 } });
    const shareOf = (agent: string) => finish(ledger, agent, 0).map(({ first, end }) => [first, end]);
    expect(shareOf('b')).toEqual([
      [40, 60],
      [60, 70],
    ]);
    expect(shareOf('c')).toEqual([
      [70, 90],
      [90, 100],
    ]);
    expect(ledger.unfinished()).toEqual([[0, 40]]);
    ledger.lost('a', 1, { knownDead: true }, 0);
    expect(shareOf('b')).toEqual([
      [0, 20],
      [20, 40],
    ]);
  });
});

describe('reports', () => {
  it('are cumulative: resending, reordering and delay cannot count a unit twice', () => {
    const ledger = ledgerOf(['a']);
    const lease = grant(ledger, 'a');
    const early = report(lease, [[0, 5]]);
    const late = report(lease, [
      [0, 8],
      [12, 13],
    ]);
    expect(ledger.report(late)).toEqual({ kind: 'applied', newlyDone: 9, completed: false });
    expect(ledger.report(early)).toEqual({ kind: 'applied', newlyDone: 0, completed: false });
    expect(ledger.report(report(lease, whole(lease)))).toEqual({ kind: 'applied', newlyDone: 11, completed: true });
    expect(ledger.report(late)).toEqual({ kind: 'applied', newlyDone: 0, completed: true });
    expect(ledger.coverage()).toMatchObject({ done: 20, rework: 0 });
  });

  it('of units that are written but not durable count nothing', () => {
    const ledger = ledgerOf(['a']);
    const lease = grant(ledger, 'a');
    expect(ledger.report(report(lease, [[0, 4]], whole(lease)))).toMatchObject({ newlyDone: 4, completed: false });
    expect(ledger.coverage()).toMatchObject({ done: 4, leased: 16 });
  });

  it('of a failed sync give back what was not durable, as rework, and it is not settled', () => {
    const ledger = ledgerOf(['a']);
    const lease = grant(ledger, 'a');
    ledger.report(report(lease, [[0, 4]], whole(lease)));
    expect(ledger.undo('b', 1, lease.id, 0)).toBe(false);
    expect(ledger.undo('a', 1, lease.id, 0)).toBe(true);
    expect(ledger.coverage()).toMatchObject({ done: 4, leased: 0, free: 96, rework: 16, unsettled: 16 });
    expect(grant(ledger, 'a')).toMatchObject({ first: 4, end: 20, epoch: 2 });
  });

  it('that lie are refused with a reason, and change nothing', () => {
    const ledger = ledgerOf(['a', 'b']);
    const lease = grant(ledger, 'a');
    const before = ledger.coverage();
    expect(ledger.report({ ...report(lease, whole(lease)), agent: 'b' })).toEqual({
      kind: 'refused',
      reason: 'not-the-holder',
      detail: 'lease 1 belongs to a incarnation 1, not to b incarnation 1',
    });
    expect(ledger.report(report(lease, [[15, 25]]))).toMatchObject({
      reason: 'outside-lease',
      detail: 'done [15, 25) is outside of [0, 20)',
    });
    expect(ledger.report(report(lease, [[-1, 5]]))).toMatchObject({ reason: 'malformed-range' });
    expect(ledger.coverage()).toEqual(before);
  });
});

describe('time', () => {
  it('hands over a margin after the agent itself stops, under a higher epoch, and fences the old holder', () => {
    const ledger = ledgerOf(['a', 'b']);
    const old = grant(ledger, 'a');
    ledger.report(report(old, [[0, 5]]));
    ledger.renew('a', 1, 2_000);
    ledger.renew('b', 1, 12_000);
    expect(ledger.nextEventMs()).toBe(12_500);
    expect(ledger.expire(12_499).leases).toEqual([]);
    expect(ledger.expire(12_500)).toEqual({ leases: [old], handover: { waiting: false } });

    const lease = grant(ledger, 'b', 12_500);
    expect(lease).toMatchObject({ first: 5, end: 20, epoch: 2 });
    // What it did before it was fenced still counts; what it did since moves nothing, and is rework once.
    const late = report(old, [[0, 9]]);
    expect(ledger.report(late)).toEqual({ kind: 'fenced', because: 'expired', newRework: 4 });
    expect(ledger.report(late)).toEqual({ kind: 'fenced', because: 'expired', newRework: 0 });
    ledger.report(report(lease, whole(lease)));
    expect(ledger.coverage()).toMatchObject({ done: 20, rework: 4 });
    expect(ledger.writers()).toEqual([
      { first: 0, end: 5, agent: 'a', host: 'host of a' },
      { first: 5, end: 20, agent: 'b', host: 'host of b' },
    ]);
  });

  it('is no reason to take leases from an agent that comes back before they were handed over', () => {
    const ledger = ledgerOf(['a', 'b', 'c', 'd']);
    const lease = grant(ledger, 'a');
    ledger.lost('a', 1, { knownDead: false }, 1_000);
    expect(ledger.grant('a', 1_000)).toBeUndefined();
    expect(ledger.join('a', 1, 'host of a', 9_000)).toBe('joined');
    expect(ledger.leasesOf('a')).toEqual([lease]);
    expect(ledger.report(report(lease, whole(lease)))).toMatchObject({ kind: 'applied', completed: true });
  });

  it('waits, and says so, when more than a third of the agents fall silent together: that is the network', () => {
    const ledger = ledgerOf(['a', 'b', 'c', 'd', 'e']);
    for (const agent of ['a', 'b', 'c', 'd', 'e']) grant(ledger, agent);
    // All five were renewed within one heartbeat, then a and b were cut off.
    ledger.renew('b', 1, 900);
    for (const agent of ['c', 'd', 'e']) ledger.renew(agent, 1, 10_000);
    expect(ledger.expire(10_500)).toEqual({
      leases: [],
      handover: {
        waiting: true,
        reason: '2 of 5 agents are silent together: waiting for the network',
        silent: ['a', 'b'],
        members: 5,
      },
    });
    // That b is dead is news: a is silent alone then.
    expect(ledger.lost('b', 1, { knownDead: true }, 10_600).map(({ agent }) => agent)).toEqual(['b']);
    expect(ledger.nextEventMs()).toBe(10_500);
    expect(ledger.expire(10_600).leases.map(({ agent }) => agent)).toEqual(['a']);
  });

  it('takes the silence of one agent of two for its death, and that of the only one for the network', () => {
    const two = ledgerOf(['a', 'b']);
    grant(two, 'a');
    two.renew('b', 1, 10_000);
    expect(two.expire(10_500).leases).toHaveLength(1);
    const one = ledgerOf(['a']);
    grant(one, 'a');
    expect(one.expire(10_500)).toMatchObject({ leases: [], handover: { waiting: true } });
  });

  it('hands over at once when the holder is known to be dead', () => {
    const ledger = ledgerOf(['a', 'b']);
    const lease = grant(ledger, 'a');
    expect(ledger.lost('a', 1, { knownDead: true }, 100)).toEqual([lease]);
    expect(ledger.coverage()).toMatchObject({ unsettled: 0, free: 100 });
    expect(ledger.renew('a', 1, 200)).toBe('fenced');
    expect(ledger.join('a', 1, 'host of a', 200)).toBe('fenced');
    expect(ledger.join('a', 2, 'host of a', 200)).toBe('joined');
  });

  it('lets a newer incarnation fence the older at once', () => {
    const ledger = ledgerOf(['a']);
    const lease = grant(ledger, 'a');
    expect(ledger.join('a', 2, 'host of a', 1_000)).toBe('joined');
    expect(ledger.renew('a', 1, 1_000)).toBe('fenced');
    expect(ledger.report(report(lease, whole(lease)))).toEqual({ kind: 'fenced', because: 'fenced', newRework: 20 });
    // The older one may go on until its own deadline, so that is when waiting for its writes begins.
    expect(ledger.unsettled()).toEqual([{ agent: 'a', incarnation: 1, first: 0, end: 20, untilMs: 70_500 }]);
  });
});

describe('settling', () => {
  function handedOver(options: Partial<LedgerOptions> = {}): Ledger {
    const ledger = ledgerOf(['a', 'b'], options);
    const lease = grant(ledger, 'a');
    ledger.report(report(lease, [[0, 5]]));
    ledger.renew('b', 1, 10_000);
    ledger.expire(10_500);
    finish(ledger, 'b', 10_500);
    expect(ledger.isComplete()).toBe(true);
    expect(ledger.isSettled()).toBe(false);
    expect(ledger.coverage().unsettled).toBe(15);
    return ledger;
  }

  it('is when the lost holder has drained', () => {
    const ledger = handedOver();
    ledger.drained('a', 1);
    expect(ledger.isSettled()).toBe(true);
    expect(ledger.indeterminate('a')).toEqual([]);
  });

  it('is when the lost holder is known to be dead', () => {
    const ledger = handedOver();
    ledger.lost('a', 1, { knownDead: true }, 11_000);
    expect(ledger.isSettled()).toBe(true);
    expect(ledger.indeterminate('a')).toEqual([]);
  });

  it('is when the time is up, and then an old generation found there is indeterminate for ever', () => {
    const ledger = handedOver();
    ledger.renew('b', 1, 70_499);
    expect(ledger.nextEventMs()).toBe(70_500);
    ledger.expire(70_499);
    expect(ledger.isSettled()).toBe(false);
    ledger.expire(70_500);
    expect(ledger.isSettled()).toBe(true);
    ledger.drained('a', 1);
    expect(ledger.indeterminate('a')).toEqual([[5, 20]]);
  });

  it('is at once for what an agent gives back or leaves, with nothing in flight', () => {
    const ledger = ledgerOf(['a', 'b']);
    const lease = grant(ledger, 'a');
    expect(ledger.release('b', 1, lease.id)).toBe(false);
    expect(ledger.release('a', 1, lease.id)).toBe(true);
    expect(ledger.isSettled()).toBe(true);
    const second = grant(ledger, 'a');
    expect(second.epoch).toBe(2);
    expect(ledger.leave('a', 1)).toEqual([second]);
    expect(ledger.isSettled()).toBe(true);
    expect(ledger.grant('a', 0)).toBeUndefined();
  });

  it('leaves a lost agent’s done units indeterminate when done does not mean durable', () => {
    const ledger = handedOver({ durable: false });
    expect(ledger.indeterminate('a')).toEqual([[0, 5]]);
    ledger.leave('b', 1);
    ledger.lost('b', 1, { knownDead: true }, 11_000);
    expect(ledger.indeterminate('b')).toEqual([]);
  });
});

describe('placement', () => {
  const writers: readonly WriterRange[] = [
    { first: 0, end: 40, agent: 'a', host: 'x' },
    { first: 40, end: 70, agent: 'b', host: 'x' },
    { first: 70, end: 100, agent: 'c', host: 'y' },
  ];

  it('verifies by another host, else by another agent, and by the writer only when it is the last', () => {
    const ledger = new Ledger({ ...STAGE, assign: { kind: 'dynamic', placement: { kind: 'other', writers } } });
    for (const { agent, host } of writers) ledger.join(agent, 1, host, 0);
    expect(finish(ledger, 'a', 0).every(({ first }) => first >= 70)).toBe(true);
    expect(ledger.grant('b', 0)).toBeUndefined();
    const byAnotherHost = grant(ledger, 'c');
    expect(byAnotherHost).toMatchObject({ first: 0 });

    ledger.lost('c', 1, { knownDead: true }, 0);
    expect(finish(ledger, 'a', 0).every(({ first, end }) => first >= 40 && end <= 70)).toBe(true);
    expect(ledger.coverage()).toMatchObject({ free: 40 });

    ledger.leave('b', 1);
    finish(ledger, 'a', 0);
    expect(ledger.coverage()).toMatchObject({ done: 100 });
    expect(ledger.coverage().agents.get('a')).toMatchObject({ done: 100 });
  });

  it('does not wait for ever for a silent holder once the pass is over', () => {
    const ledger = new Ledger({ ...STAGE, assign: { kind: 'dynamic', placement: { kind: 'any' } } });
    ledger.join('a', 1, 'host-a', 0);
    grant(ledger, 'a');
    const late = 10 * (STAGE.leaseMs + STAGE.marginMs);
    ledger.expire(late);
    expect(ledger.isSettled()).toBe(false);
    ledger.close(late);
    expect(ledger.isSettled()).toBe(false);
    ledger.expire(late + 60_000);
    expect(ledger.isSettled()).toBe(true);
  });

  it('keeps node-local data with its writer, and names what is lost with it', () => {
    const ledger = new Ledger({ ...STAGE, assign: { kind: 'dynamic', placement: { kind: 'same', writers } } });
    for (const { agent, host } of writers) ledger.join(agent, 1, host, 0);
    for (const agent of ['a', 'b']) finish(ledger, agent, 0);
    expect(ledger.unfinished()).toEqual([[70, 100]]);
    expect(ledger.isOver()).toBe(false);
    ledger.lost('c', 1, { knownDead: true }, 0);
    expect(ledger.lostUnits()).toEqual([{ first: 70, end: 100, agent: 'c', host: 'y' }]);
    expect([ledger.isOver(), ledger.isComplete()]).toEqual([true, false]);

    ledger.join('c', 2, 'y', 0);
    finish(ledger, 'c', 0);
    expect([ledger.isOver(), ledger.isComplete()]).toEqual([true, true]);
  });

  it('takes the writers of the stage before', () => {
    const write = ledgerOf(['a', 'b'], { units: 40 });
    finish(write, 'a', 0);
    const verify = ledgerOf(['a', 'b'], {
      units: 40,
      assign: { kind: 'dynamic', placement: { kind: 'other', writers: write.writers() } },
    });
    expect(verify.grant('a', 0)).toBeUndefined();
    finish(verify, 'b', 0);
    expect(verify.isComplete()).toBe(true);
  });
});

describe('limits', () => {
  it('refuse options that no plan resolves to', () => {
    const make = (options: Partial<LedgerOptions>) => () => new Ledger({ ...STAGE, ...options });
    expect(make({ units: 0 })).toThrow('units must be an integer of at least 1, not 0');
    expect(make({ units: 2 ** 53 })).toThrow('units');
    expect(make({ boundaryUnits: 1.5 })).toThrow('boundaryUnits');
    expect(make({ leaseMs: 0 })).toThrow('leaseMs');
    expect(make({ marginMs: Number.NaN })).toThrow('marginMs');
    expect(make({ silentMs: 20_000 })).toThrow('silentMs');
    const beyond = [{ first: 0, end: 110, agent: 'a', host: 'x' }];
    expect(make({ assign: { kind: 'dynamic', placement: { kind: 'same', writers: beyond } } })).toThrow('110 of 100');
    expect(make({ assign: { kind: 'static', members: [], nowMs: 0 } })).toThrow('at least one member');
    expect(() => ledgerOf(['a']).grant('a', Number.NaN)).toThrow('nowMs');
  });

  it('leave room for ten thousand million units: the cost is that of the leases', () => {
    const ledger = ledgerOf(['a', 'b', 'c'], { units: 1e10, boundaryUnits: 1000, leaseUnits: 1_000_000 });
    const agents = ['a', 'b', 'c'];
    for (let turn = 0; !ledger.isComplete(); turn += 1) {
      const lease = grant(ledger, agents[turn % 3] ?? '');
      ledger.report(report(lease, [[lease.first + 10, lease.end]]));
      ledger.report(report(lease, whole(lease)));
    }
    expect(ledger.coverage()).toMatchObject({ done: 1e10, rework: 0 });
    expect(ledger.unfinished()).toEqual([]);
  });
});
