/** A real coordinator and real streams; agents that do no I/O and report what a spec tells them to. */
import type { GrantLease, RunResult } from '@seedstorm/proto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { finding } from '../testing/messages.js';
import type { ScriptedAgent } from '../testing/scripted-agent.js';
import { ScriptedCluster, type Watched } from '../testing/scripted-cluster.js';

const units = 64;
let cluster: ScriptedCluster;
beforeEach(async () => {
  cluster = await ScriptedCluster.start();
});
afterEach(() => cluster.close());

const join = (name: string): ScriptedAgent => cluster.join(name);

const plan = (sync: string): string => `
data: { size: ${units}MiB, unit: 1MiB }
target: { kind: file, path: /target, files: { count: 16 }, io: { sync: ${sync} } }
control: { lease: 2s }
stages:
  - write: {}
`;

/** Starts a run of two agents and follows it. */
const submit = (sync = 'range'): Promise<Watched> => cluster.submit(plan(sync));

/** What every run must come to, whatever happened on its way: each unit once. */
function expectWhole(result: RunResult): void {
  const [stage] = result.stages;
  expect(result).toMatchObject({ outcome: 'passed', error: undefined });
  expect(stage).toMatchObject({ complete: true, unitsDone: BigInt(units), bytes: BigInt(units) * 1_048_576n });
  expect(stage?.agents.reduce((sum, agent) => sum + agent.unitsDone, 0n)).toBe(BigInt(units));
}

const rangeOf = ({ units: range }: GrantLease): { first: bigint; end: bigint } => range ?? { first: 0n, end: 0n };

describe('a run of scripted agents', { timeout: 30_000 }, () => {
  test('reports that come twice, or in another order, are counted once', async () => {
    const [a, b] = [join('a'), join('b')];
    const { result } = await submit();
    await Promise.all([a.begin(), b.begin()]);
    const acknowledged: bigint[] = [];
    void (async () => {
      for (;;) {
        const lease = await a.next('grantLease');
        const { first, end } = rangeOf(lease);
        const middle = first + (end - first) / 2n;
        const half = a.progress(lease, middle - first, { done: middle > first ? [{ first, end: middle }] : [] });
        const whole = a.progress(lease, end - middle, { done: [{ first, end }], complete: true });
        for (const value of [whole, half, half, whole, half, whole]) a.say({ $case: 'report', value });
        acknowledged.push(half.sequence - 1n);
      }
    })();
    await Promise.all([a.end(), b.workOff()]);
    const ended = await result;
    expectWhole(ended);
    const [stage] = ended.stages;
    const counted = stage?.agents.flatMap(({ pools }) => pools.map((pool) => pool.counters?.operations));
    expect(counted?.reduce((sum = 0n, operations = 0n) => sum + operations, 0n)).toBe(BigInt(units));
    expect(stage?.latency?.count).toBe(BigInt(units));
    expect([stage?.unitsReworked, stage?.unitsIndeterminate]).toEqual([0n, 0n]);
    // The one that overtook another was not acknowledged: its agent would never have sent the other again.
    const acks = a.all('reportAck').map(({ sequence }) => sequence);
    expect(acks).toEqual([...acks].sort((x, y) => Number(x - y)));
    for (const before of acknowledged) expect(acks).toContain(before);
  });

  test.each<[string, (lease: GrantLease, other: GrantLease) => GrantLease, RegExp]>([
    ['a lease that another holds', (_, other) => other, /not-the-holder/u],
    ['a lease that nobody was given', (lease) => ({ ...lease, leaseId: 9999n }), /unknown-lease/u],
    ['another epoch', (lease) => ({ ...lease, epoch: lease.epoch + 1n }), /wrong-epoch/u],
    [
      'units outside of its lease',
      (lease) => ({ ...lease, units: { first: rangeOf(lease).first, end: rangeOf(lease).end + 1n } }),
      /outside-lease/u,
    ],
    ['no number', (lease) => ({ ...lease, leaseId: 2n ** 63n }), /beyond 2\^53/u],
  ])('an agent that reports %s is refused and changes nobody’s result', async (_, lie, why) => {
    const [a, b] = [join('a'), join('b')];
    const { result, events } = await submit();
    await Promise.all([a.begin(), b.begin()]);
    const [own, other] = await Promise.all([a.next('grantLease'), b.next('grantLease')]);
    a.say({ $case: 'report', value: a.done(lie(own, other)) });
    // What it says in the same breath is not listened to.
    a.say({ $case: 'report', value: a.done(own) });
    const refused = await a.ended;
    expect(refused).toMatchObject({ code: 'SEEDSTORM_E_MESSAGE_INVALID', what: expect.stringMatching(why) });
    // Its process is seen to be gone, so that nobody waits for its leases to run out.
    await cluster.declareGone('a');
    b.say({ $case: 'report', value: b.done(other) });
    await b.workOff();
    const ended = await result;
    expectWhole(ended);
    expect(ended.stages[0]?.agents.map(({ name, unitsDone }) => [name, unitsDone])).toEqual([
      ['a', 0n],
      ['b', BigInt(units)],
    ]);
    expect(events.map(({ kind }) => kind)).toContain('lease-handed-over');
    expect(cluster.log.some((line) => line.startsWith('refused a:'))).toBe(true);
  });

  test('an agent that calls a fault a late write where nobody was lost is refused: no corruption is explained away', async () => {
    const [a, b] = [join('a'), join('b')];
    const { result } = await submit();
    await Promise.all([a.begin(), b.begin()]);
    const lease = await a.next('grantLease');
    a.say({ $case: 'report', value: { ...a.done(lease), findings: [finding({ kind: 'indeterminate', unit: 0n })] } });
    expect(await a.ended).toMatchObject({
      code: 'SEEDSTORM_E_MESSAGE_INVALID',
      what: expect.stringContaining('which no lost agent had'),
    });
    await cluster.declareGone('a');
    await b.workOff();
    expect(await result).toMatchObject({ indeterminate: [], findings: [] });
  });

  test('an agent whose leases ran out is told, and what it reports late moves no coverage', async () => {
    const [a, b] = [join('a'), join('b')];
    const { result } = await submit();
    await Promise.all([a.begin(), b.begin()]);
    const [first, second] = [await a.next('grantLease'), await a.next('grantLease')];
    a.say({ $case: 'report', value: a.done(first) });
    await a.next('reportAck');
    // Its heartbeats are lost, and nothing else: its leases are renewed no more.
    a.fallSilent();
    const held = second.leaseId;
    const working = b.workOff();
    await a.until(() => a.all('fenceLease').some(({ leaseId }) => leaseId === held));
    a.say({ $case: 'report', value: a.done(second) });
    await a.end();
    await working;
    const ended = await result;
    expectWhole(ended);
    const [stage] = ended.stages;
    const late = rangeOf(second).end - rangeOf(second).first;
    expect(stage?.unitsReworked).toBeGreaterThanOrEqual(late);
    const own = rangeOf(first).end - rangeOf(first).first;
    expect(stage?.agents.map(({ name, unitsDone }) => [name, unitsDone])).toEqual([
      ['a', own],
      ['b', BigInt(units) - own],
    ]);
  });

  test('under sync: end the stage asks for a sync when all is written, and waits until all is durable', async () => {
    const both = [join('a'), join('b')];
    const { result, events } = await submit('end');
    const leases = new Map<ScriptedAgent, GrantLease[]>(both.map((agent) => [agent, []]));
    await Promise.all(both.map((agent) => agent.begin()));
    for (const agent of both) {
      void (async () => {
        for (;;) {
          const lease = await agent.next('grantLease');
          leases.get(agent)?.push(lease);
          const range = rangeOf(lease);
          agent.say({ $case: 'report', value: agent.progress(lease, range.end - range.first, { written: [range] }) });
        }
      })();
    }
    await Promise.all(both.map((agent) => agent.next('syncStage')));
    const written = [...leases.values()].flat().reduce((sum, l) => sum + rangeOf(l).end - rangeOf(l).first, 0n);
    expect(written).toBe(BigInt(units));
    const [last, ...others] = both.flatMap((agent) => (leases.get(agent) ?? []).map((lease) => ({ agent, lease })));
    if (last === undefined) throw new Error('nobody was given a lease');
    const durable = ({ agent, lease }: typeof last): void => {
      const range = rangeOf(lease);
      const progress = { done: [range], written: [range], complete: true };
      agent.say({ $case: 'report', value: agent.progress(lease, 0n, progress) });
    };
    for (const one of others) durable(one);
    await Promise.all(others.map(({ agent }) => agent.next('reportAck')));
    expect(events.map(({ kind }) => kind)).not.toContain('stage-ended');
    expect(both.flatMap((agent) => agent.all('endStage'))).toEqual([]);
    durable(last);
    await Promise.all(both.map((agent) => agent.end()));
    expectWhole(await result);
  });

  test('a late joiner that is not ready when all is done is not left waiting for a start that never comes', async () => {
    const a = join('a');
    const { result } = await cluster.submit(plan('range'), 1);
    await a.begin();
    const late = join('late');
    await late.next('prepareStage');
    await Promise.all([a.workOff(), late.end()]);
    expect([a, late].map((agent) => agent.all('endStage').map(({ cancel }) => cancel))).toEqual([[false], [true]]);
    expectWhole(await result);
  });

  test('an agent whose storage fails ends the run with its error, and everybody is told to stop', async () => {
    const [a, b] = [join('a'), join('b')];
    const { result } = await submit();
    await Promise.all([a.begin(), b.begin()]);
    const { stage: written } = a;
    const lease = await a.next('grantLease');
    const error = { code: 'SEEDSTORM_E_DISK_FULL', what: 'no room in /target/run/0', mend: 'free some space' };
    a.say({ $case: 'report', value: a.progress(lease, 0n, { error }) });
    await Promise.all([a.end(), b.end()]);
    // What was written is removed by a stage of its own.
    for (const agent of [a, b]) void agent.begin().then(() => agent.workOff());
    expect(await result).toMatchObject({
      outcome: 'failed',
      error: { ...error, what: 'agent a: no room in /target/run/0' },
    });
    expect([...a.all('endStage'), ...b.all('endStage')].filter(({ stage }) => stage === written)).toMatchObject([
      { cancel: true },
      { cancel: true },
    ]);
  });
});
