import { Engine, type Engine as EngineType, Task } from '@seedstorm/native';
import type { Report } from '@seedstorm/proto';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ToCoordinator } from './connection.js';
import { GeneratorMeter } from './generator-meter.js';
import { StageWork } from './stage-work.js';
import { prepareStage, startStage } from './testing.js';

let engine: EngineType;
let said: ToCoordinator[];
beforeEach(async () => {
  said = [];
  engine = await Engine.start({ topology: { synthetic: 'numanode:1 core:2 pu:1' }, pin: false });
});
afterEach(() => engine.close());

const host = {
  name: 'agent-1',
  overLoopback: true,
  generator: new GeneratorMeter(),
  say: (message: ToCoordinator) => void said.push(message),
};
const none = (): undefined => undefined;

type Said<Case extends ToCoordinator['$case']> = Extract<ToCoordinator, { $case: Case }>['value'][];
function heard<Case extends ToCoordinator['$case']>($case: Case): Said<Case> {
  return said.flatMap((message) => (message.$case === $case ? [message.value] : [])) as Said<Case>;
}
const until = (ready: () => boolean): Promise<boolean> => vi.waitUntil(ready, { interval: 1, timeout: 10_000 });
const grant = (leaseId: bigint, first: bigint, end: bigint) => ({
  stage: 0,
  leaseId,
  epoch: 1n,
  units: { first, end },
  shards: [],
  late: [],
});
const isComplete = (report: Report): boolean => report.leases.some((lease) => lease.complete);

async function prepared(changes: Parameters<typeof prepareStage>[0] = {}): Promise<StageWork> {
  const work = new StageWork(prepareStage(changes), host);
  work.setDeadline(process.hrtime.bigint() + 3_600_000_000_000n);
  await work.prepare(Promise.resolve(engine), none);
  return work;
}

describe('a stage on an agent', () => {
  test('tells how fast its lanes deal with such data without storage, measured once for a run', async () => {
    for (const stage of [0, 1]) await (await prepared({ measureGenerator: true, stage })).abandon();
    const [first, second] = heard('stagePrepared').map(({ generator }) => generator);
    expect(first?.generateBytesPerSecond).toBeGreaterThan(1e7);
    expect(first?.verifyBytesPerSecond).toBeGreaterThan(1e7);
    expect(second).toEqual(first);
  });

  test('gets ready, works off a lease, reports it, and ends', async () => {
    const work = await prepared();
    const { memoryBytes, ...rest } = heard('stagePrepared')[0] ?? {};
    expect(rest).toEqual({
      stage: 0,
      error: undefined,
      notes: [],
      lanes: 2,
      dataAddress: '',
      generator: undefined,
    });
    expect(memoryBytes).toBeGreaterThan(0n);
    work.grant(grant(1n, 0n, 8n));
    work.start(startStage());
    await until(() => heard('report').some(isComplete));
    await work.end({ stage: 0, cancel: false, removeRunFolder: false });
    expect(heard('stageEnded')).toMatchObject([{ stage: 0, error: undefined, runFolderRemoved: true }]);
    expect(said.at(-1)?.$case).toBe('stageEnded');
    const sequences = heard('report').map(({ sequence }) => sequence);
    expect(sequences).toEqual(sequences.map((_, i) => BigInt(i + 1)));
    const sum = heard('report')
      .at(-1)
      ?.pools.reduce((total, pool) => total + pool.operations, 0n);
    expect(sum).toBe(8n);
  });

  test('a report that is slow to be made when the stage ends is said before the end: nobody listens behind it', async () => {
    const snapshot = Task.prototype.snapshot;
    let slow: Promise<unknown> | undefined;
    const spy = vi.spyOn(Task.prototype, 'snapshot').mockImplementationOnce(async function (this: Task) {
      const made = await snapshot.call(this);
      slow = new Promise((resolve) => setTimeout(resolve, 100));
      await slow;
      return made;
    });
    const work = await prepared();
    work.grant(grant(1n, 0n, 8n));
    work.start(startStage());
    await until(() => slow !== undefined);
    await work.end({ stage: 0, cancel: false, removeRunFolder: false });
    await slow;
    await new Promise((resolve) => setImmediate(resolve));
    spy.mockRestore();
    expect(said.at(-1)?.$case).toBe('stageEnded');
    expect(heard('report').filter(isComplete)).toHaveLength(1);
  });

  test('after a break says again what was not acknowledged, in its order, and nothing that was', async () => {
    const work = await prepared();
    work.start(startStage());
    for (const id of [1n, 2n, 3n]) {
      work.grant(grant(id, id, id + 1n));
      await until(() => heard('report').some(({ leases }) => leases.some((l) => l.leaseId === id && l.complete)));
    }
    const before = heard('report');
    const [first] = before;
    work.acknowledged(first?.sequence ?? 0n);
    said.length = 0;
    work.repeat();
    expect(heard('stagePrepared')).toHaveLength(1);
    expect(heard('report').slice(0, before.length - 1)).toEqual(before.slice(1));
    await work.abandon();
  });

  test('a lease that is granted again after a break is not done twice', async () => {
    const work = await prepared();
    work.grant(grant(1n, 0n, 8n));
    work.grant(grant(1n, 0n, 8n));
    work.start(startStage());
    await work.end({ stage: 0, cancel: false, removeRunFolder: false });
    const operations = heard('report')
      .at(-1)
      ?.pools.map((pool) => pool.operations);
    expect(operations).toEqual([8n]);
  });

  test('a task that ends by itself is told of at once, with its reason: nobody waits for its leases for ever', async () => {
    const work = await prepared();
    work.grant(grant(1n, 0n, 8n));
    await engine.close();
    await until(() => heard('stageEnded').length > 0);
    expect(heard('stageEnded')).toMatchObject([{ stage: 0, error: { code: 'SEEDSTORM_E_ENGINE_CLOSED' } }]);
    // What crosses it on its way does no harm, and the end is said again when it is asked for.
    work.grant(grant(2n, 8n, 16n));
    await work.end({ stage: 0, cancel: true, removeRunFolder: false });
    expect(heard('stageEnded')).toHaveLength(2);
  });

  test('a lease that the engine refuses ends the stage with the reason', async () => {
    const work = await prepared();
    work.start(startStage());
    work.grant(grant(1n, 0n, 65n));
    await until(() => heard('stageEnded').length > 0);
    expect(heard('stageEnded')[0]?.error).toMatchObject({ code: 'SEEDSTORM_E_INVALID_ARGUMENT' });
  });

  test('what cannot be prepared is said with its reason', async () => {
    await prepared({ units: 0n });
    expect(heard('stagePrepared')).toMatchObject([{ error: { code: 'SEEDSTORM_E_INVALID_ARGUMENT' } }]);
    const work = new StageWork(prepareStage(), host);
    await work.prepare(Promise.reject(new Error('no engine')), none);
    await new StageWork(prepareStage(), host).prepare(Promise.resolve(engine), () => {
      throw new Error('no memory');
    });
    expect(heard('stagePrepared').map(({ error }) => error?.what)).toEqual([
      expect.any(String),
      'no engine',
      'no memory',
    ]);
  });

  test('an end that comes while it is still getting ready is kept until then', async () => {
    const work = new StageWork(prepareStage(), host);
    let start: (engine: EngineType) => void = () => {};
    const ready = work.prepare(new Promise((resolve) => (start = resolve)), none);
    await work.end({ stage: 0, cancel: true, removeRunFolder: false });
    expect(said).toEqual([]);
    start(engine);
    await ready;
    expect(said.map(({ $case }) => $case)).toEqual(['stagePrepared', 'report', 'stageEnded']);
    expect(heard('stageEnded')[0]?.error).toBeUndefined();
  });

  test('a stage that is abandoned while it is still getting ready does not keep the lanes from the next', async () => {
    const work = new StageWork(prepareStage(), host);
    const ready = work.prepare(Promise.resolve(engine), none);
    await work.abandon();
    await ready;
    expect(said).toEqual([]);
    await engine.fill({ ...contentOf(), windowBits: 0 }, 0, 0n, new Uint8Array(10));
  });

  test('past its deadline it submits nothing, and does so again when the deadline has moved', async () => {
    const work = await prepared({ units: 1024n });
    work.setDeadline(1n);
    work.grant(grant(1n, 0n, 1024n));
    work.start(startStage());
    await until(() => heard('report').length > 0);
    expect(heard('report')[0]?.startedNs).toBe(0n);
    work.setDeadline(process.hrtime.bigint() + 3_600_000_000_000n);
    await until(() => heard('report').some(isComplete));
    await work.abandon();
  });
});

function contentOf() {
  const { content } = prepareStage();
  if (content === undefined) throw new Error('the stage has no content');
  const { unitBytes, dedupMilli, compressMilli, ...others } = content;
  return { ...others, unitBytes: Number(unitBytes), dedupMilli: 1000, compressMilli: Number(compressMilli) };
}
