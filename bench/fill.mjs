// `npm run bench:fill`: how fast DataGenerator fills buffers of several sizes, beside the lanes' own rate in a cache-sized
// buffer and beside a plain memory fill; what a call costs; and how late the event loop is while lanes fill and one core
// is left to it. Interleaved rounds; medians. `--json` prints JSON.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { DataGenerator, Engine } from '@seedstorm/native';

const rounds = 7;
const secondsPerRound = 0.25;
const sizes = [64, 4096, 256 * 1024, 1024 ** 2, 8 * 1024 ** 2, 32 * 1024 ** 2, 256 * 1024 ** 2];

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** GB/s of calling `work`, which makes `bytes`, for a while. */
async function rate(bytes, work) {
  const began = performance.now();
  let calls = 0;
  do {
    await work();
    calls += 1;
  } while (performance.now() - began < secondsPerRound * 1000);
  return (bytes * calls) / (performance.now() - began) / 1e6;
}

/** GB/s of calling `work` without the event loop. The clock is read once in many calls of small ones. */
function rateNow(bytes, work) {
  const callsPerLook = Math.max(1, Math.floor(4e6 / bytes / 16));
  const began = performance.now();
  let calls = 0;
  do {
    for (let i = 0; i < callsPerLook; i++) work();
    calls += callsPerLook;
  } while (performance.now() - began < secondsPerRound * 1000);
  return (bytes * calls) / (performance.now() - began) / 1e6;
}

/** The event loop's delay in ms at the 99th percentile while fills are always in flight, one core being left to it. */
async function eventLoopDelay() {
  let engine;
  try {
    engine = await Engine.start({ placement: { reserveCores: 1 } });
  } catch {
    // A machine with one core has none to leave.
    return undefined;
  }
  const generator = new DataGenerator({ size: 2n ** 62n, seed: 1n, engine });
  const buffers = [Buffer.alloc(32 * 1024 ** 2), Buffer.alloc(32 * 1024 ** 2)];
  const delay = monitorEventLoopDelay({ resolution: 1 });
  let isOver = false;
  setTimeout(() => {
    isOver = true;
  }, 2000);
  delay.enable();
  const keepFilling = async (buffer) => {
    while (!isOver) await generator.fillChunk(buffer);
  };
  await Promise.all(buffers.map(keepFilling));
  delay.disable();
  await engine.close();
  return delay.percentile(99) / 1e6;
}

const engine = await Engine.start();
const content = {
  seed: 1n,
  namespace: '',
  unitBytes: 1024 ** 2,
  dedupMilli: 1000,
  windowBits: 12,
  compressMilli: 1000,
  codec: 'any',
  recordBytes: 131_072,
};
const rows = sizes.map((bytes) => ({ bytes, buffer: Buffer.alloc(bytes), sync: [], fillChunk: [], memset: [] }));
const lanes = [];
for (let round = 0; round < rounds; round++) {
  const benched = await engine.bench(content, secondsPerRound);
  lanes.push(benched.reduce((sum, lane) => sum + lane.generatedBytes / lane.generateNs, 0));
  for (const row of rows) {
    const generator = new DataGenerator({ size: 2n ** 62n, seed: 1n, engine });
    row.sync.push(rateNow(row.bytes, () => generator.fillChunkSync(row.buffer)));
    row.fillChunk.push(await rate(row.bytes, () => generator.fillChunk(row.buffer)));
    row.memset.push(rateNow(row.bytes, () => row.buffer.fill(round)));
  }
}
await engine.close();

const result = {
  unit: 'GB/s, medians',
  rounds,
  lanesInCache: median(lanes),
  eventLoopDelayP99Ms: await eventLoopDelay(),
  chunks: rows.map(({ bytes, sync, fillChunk, memset }) => ({
    bytes,
    fillChunkSync: median(sync),
    fillChunk: median(fillChunk),
    memsetOneThread: median(memset),
  })),
};
if (process.argv.includes('--json')) {
  console.log(JSON.stringify(result));
} else {
  console.log(`all lanes, each in its own cache-sized buffer: ${result.lanesInCache.toFixed(1)} GB/s`);
  const head = ['fillChunkSync', 'ns a call', 'fillChunk', 'memset, one thread'];
  console.log(`${'chunk'.padEnd(10)}${head.map((text) => text.padStart(20)).join('')}`);
  for (const { bytes, fillChunkSync, fillChunk, memsetOneThread } of result.chunks) {
    const [unit, name] = [
      [1024 ** 2, 'MiB'],
      [1024, 'KiB'],
      [1, 'B'],
    ].find(([unit]) => bytes >= unit);
    const cells = [
      fillChunkSync.toFixed(2),
      (bytes / fillChunkSync).toFixed(0),
      fillChunk.toFixed(2),
      memsetOneThread.toFixed(2),
    ];
    console.log(`${`${bytes / unit} ${name}`.padEnd(10)}${cells.map((text) => text.padStart(20)).join('')}`);
  }
  const delay = result.eventLoopDelayP99Ms;
  console.log(
    `event loop while lanes fill, a core left to it: ${delay?.toFixed(2) ?? 'no core to leave'} ms late (p99)`,
  );
}
