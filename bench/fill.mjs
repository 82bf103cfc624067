// `npm run bench:fill`: how fast DataGenerator.fillChunk fills buffers of several sizes, beside the lanes' own rate in a
// cache-sized buffer and beside a plain memory fill. Interleaved rounds; medians. `--json` prints JSON.
import { DataGenerator, Engine } from '@seedstorm/native';

const rounds = 7;
const secondsPerRound = 0.25;
const sizes = [256 * 1024, 1024 ** 2, 8 * 1024 ** 2, 32 * 1024 ** 2, 256 * 1024 ** 2];

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
const rows = sizes.map((bytes) => ({ bytes, buffer: Buffer.alloc(bytes), fillChunk: [], memset: [] }));
const lanes = [];
for (let round = 0; round < rounds; round++) {
  const benched = await engine.bench(content, secondsPerRound);
  lanes.push(benched.reduce((sum, lane) => sum + lane.generatedBytes / lane.generateNs, 0));
  for (const row of rows) {
    const generator = new DataGenerator(engine, { size: 2n ** 60n, seed: 1n });
    row.fillChunk.push(await rate(row.bytes, () => generator.fillChunk(row.buffer)));
    row.memset.push(await rate(row.bytes, () => row.buffer.fill(round)));
  }
}
await engine.close();

const result = {
  unit: 'GB/s, medians',
  rounds,
  lanesInCache: median(lanes),
  chunks: rows.map(({ bytes, fillChunk, memset }) => ({
    bytes,
    fillChunk: median(fillChunk),
    memsetOneThread: median(memset),
  })),
};
if (process.argv.includes('--json')) {
  console.log(JSON.stringify(result));
} else {
  console.log(`all lanes, each in its own cache-sized buffer: ${result.lanesInCache.toFixed(1)} GB/s`);
  console.log(`${'chunk'.padEnd(12)}${'fillChunk'.padStart(12)}${'memset, one thread'.padStart(22)}`);
  for (const { bytes, fillChunk, memsetOneThread } of result.chunks) {
    const name = bytes >= 1024 ** 2 ? `${bytes / 1024 ** 2} MiB` : `${bytes / 1024} KiB`;
    console.log(`${name.padEnd(12)}${fillChunk.toFixed(1).padStart(12)}${memsetOneThread.toFixed(1).padStart(22)}`);
  }
}
