// The bench's TypeScript worker for many lanes: an engine, unpinned, on the topology of another machine, as a program that
// uses @seedstorm/native has it. `node bench/workers/lanes.mjs FILE [smt]`; then a case a line on stdin: `task`,
// `snapshot`, `rest MS`, `close`. Times are in ns.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { Engine, monotonicNs, Task } from '@seedstorm/native';

const [xmlFile, smt] = process.argv.slice(2);
const unitBytes = 2 ** 20;
const spec = {
  operation: 'generate',
  content: {
    seed: 1n,
    namespace: 'bench',
    unitBytes,
    dedupMilli: 1000,
    windowBits: 0,
    compressMilli: 1000,
    codec: 'lz4',
    recordBytes: 4096,
  },
  generation: 0,
  units: 2 ** 30,
  unitsPerObject: 2 ** 30,
  blockBytes: 4096,
  sparedObjects: [],
  sink: 'null',
};
/** Units of the task whose latencies are asked for: enough that every lane has its turns, and latencies are spread. */
const someUnits = 4096n;

async function ready() {
  const askedNs = monotonicNs();
  const task = await Task.prepare(engine, spec);
  while ((await task.snapshot()).lanesReady < lanes) await setTimeout(0);
  return { task, readyNs: Number(monotonicNs() - askedNs) };
}

/** A task without work: from its preparation to its settled promise. */
async function measureTask() {
  const { task, readyNs } = await ready();
  const beginNs = monotonicNs();
  task.beginAt(beginNs);
  const saidNs = monotonicNs();
  let allBegunNs = 0n;
  while (allBegunNs === 0n) {
    await setTimeout(5);
    ({ allBegunNs } = await task.snapshot());
  }
  const ended = task.ended();
  const finishNs = monotonicNs();
  task.finish();
  await ended;
  return {
    readyNs,
    sayBeginNs: Number(saidNs - beginNs),
    beginNs: Number(allBegunNs - beginNs),
    settledNs: Number(monotonicNs() - finishNs),
  };
}

/** CPU time of this thread, in ns, as of when it last slept; the process's first thread has its number. */
const ownCpuNs = () => Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]);

/** What this thread spends on some work: its CPU time, since on the wall other threads have their turns meanwhile. */
async function cpuOf(work) {
  await setTimeout(5);
  const before = ownCpuNs();
  const result = await work();
  await setTimeout(5);
  return { result, cpuNs: ownCpuNs() - before };
}

/** The snapshot of a task of which none was taken: how long this thread was busy with it, and how long it took. */
async function measureSnapshot() {
  const { task } = await ready();
  task.addRange(1n, 0n, someUnits);
  task.beginAt(0n);
  task.finish();
  await task.ended();
  const { cpuNs: without } = await cpuOf(async () => {});
  let tookNs = 0;
  const { result, cpuNs } = await cpuOf(async () => {
    const askedNs = monotonicNs();
    const snapshot = await task.snapshot();
    tookNs = Number(monotonicNs() - askedNs);
    return snapshot;
  });
  const buckets = result.pools.reduce((sum, { latency }) => sum + latency.buckets.length, 0);
  return { loopNs: Math.max(0, cpuNs - without), snapshotNs: tookNs, buckets };
}

/** What all threads of this process use while nothing is to be done. */
async function measureRest(milliseconds) {
  const before = process.cpuUsage();
  await setTimeout(milliseconds);
  const { user, system } = process.cpuUsage(before);
  return { cpuNs: (user + system) * 1000 };
}

async function measureClose() {
  const began = monotonicNs();
  await engine.close();
  return { closeNs: Number(monotonicNs() - began) };
}

const began = monotonicNs();
const engine = await Engine.start({
  topology: { xmlFile },
  placement: { smt: smt === 'smt' },
  bufferBytes: 2 ** 18,
  pin: false,
});
const startNs = Number(monotonicNs() - began);
const lanes = engine.placement.reduce((sum, pool) => sum + pool.lanes.length, 0);
console.log(JSON.stringify({ lanes, startNs, node: process.version }));

const cases = { task: measureTask, snapshot: measureSnapshot, rest: measureRest, close: measureClose };
for await (const line of createInterface({ input: process.stdin })) {
  const [name, ...numbers] = line.split(' ');
  console.log(JSON.stringify(await cases[name](...numbers.map(Number))));
}
await engine.close();
