/** A stage by time on a real coordinator, with agents that a spec plays: what the wire says of time, and what counts. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ScriptedAgent } from '../testing/scripted-agent.js';
import { ScriptedCluster } from '../testing/scripted-cluster.js';

let cluster: ScriptedCluster;
beforeEach(async () => {
  cluster = await ScriptedCluster.start();
});
afterEach(() => cluster.close());

const plan = (stage: string): string => `
data: { size: 16MiB, unit: 1MiB }
target: { kind: 'null' }
stages: [{ generate: ${stage} }]
`;

/** Does what it is given, one lease each few milliseconds, until the stage ends. */
async function workSlowly(agent: ScriptedAgent): Promise<void> {
  void (async () => {
    for (;;) {
      const lease = await agent.next('grantLease');
      await new Promise((resolve) => setTimeout(resolve, 5));
      agent.say({ $case: 'report', value: agent.done(lease) });
    }
  })();
  await agent.end();
}

describe('a stage by time', { timeout: 30_000 }, () => {
  test('agents are told its end and the end of its ramp before it starts, and work of pass after pass', async () => {
    const [a, b] = [cluster.join('a'), cluster.join('b')];
    const { result } = await cluster.submit(plan('{ duration: 600ms, ramp: 100ms }'));
    await Promise.all([a.begin(), b.begin()]);
    const [start] = a.all('startStage');
    const at = start?.atAgentNs ?? 0n;
    expect((start?.overAtAgentNs ?? 0n) - at).toBe(600_000_000n);
    expect((start?.countFromAgentNs ?? 0n) - at).toBe(100_000_000n);
    await Promise.all([workSlowly(a), workSlowly(b)]);
    const ended = await result;
    const [stage] = ended.stages;
    expect(ended.outcome).toBe('passed');
    expect(stage?.complete).toBe(true);
    expect(stage?.timed?.passes).toBeGreaterThan(1);
    expect(stage?.unitsDone).toBe(BigInt(Math.round((stage?.timed?.passes ?? 0) * 16)));
    expect(stage?.bytes).toBe((stage?.unitsDone ?? 0n) * 1_048_576n);
    const leases = [...a.all('grantLease'), ...b.all('grantLease')].map(({ leaseId }) => leaseId);
    expect(new Set(leases).size).toBe(leases.length);
  });

  test('work that was done twice is taken off what counts', async () => {
    const [a, b] = [cluster.join('a'), cluster.join('b')];
    const { result } = await cluster.submit(plan('{ duration: 1500ms }'));
    await Promise.all([a.begin(), b.begin()]);
    const lease = await a.next('grantLease');
    const { first, end } = lease.units ?? { first: 0n, end: 0n };
    // All of it is written, and none of it counts before the process is gone.
    a.say({ $case: 'report', value: a.progress(lease, end - first, { written: [{ first, end }] }) });
    await a.next('reportAck');
    await cluster.declareGone('a');
    await workSlowly(b);
    const [stage] = (await result).stages;
    expect(stage?.unitsReworked).toBe(end - first);
    expect(stage?.bytes).toBe((stage?.unitsDone ?? 0n) * 1_048_576n);
  });

  test('a late joiner is told when the time is over, as the others were', async () => {
    const a = cluster.join('a');
    const { result } = await cluster.submit(plan('{ duration: 1s }'), 1);
    await a.begin();
    const late = cluster.join('late');
    await late.begin();
    const [first] = a.all('startStage');
    const [second] = late.all('startStage');
    // Both clocks are those of one machine, but for what a round trip cannot tell.
    const apart = (second?.overAtAgentNs ?? 0n) - (first?.overAtAgentNs ?? 0n);
    expect(Number(apart < 0n ? -apart : apart)).toBeLessThan(100_000_000);
    await Promise.all([workSlowly(a), workSlowly(late)]);
    expect((await result).outcome).toBe('passed');
  });
});
