// Streams content through buffers that are used again and again, as a program that writes to storage would, and prints
// how fast: `node native/node/examples/streaming.mjs [GiB]`, after `npm run setup`.
//
// The same in Rust is native/engine/examples/streaming.rs; `npm run bench:generate` measures both beside this machine's
// limits.
import { DataGenerator, shutdown } from '@seedstorm/native';

const gibibytes = Number(process.argv[2] ?? 16);
const MiB = 1024 ** 2;

const options = { size: gibibytes * 1024 ** 3, seed: 42n, dedup: 1.5, compress: 2 };
console.log(`${gibibytes} GiB of seed 42, dedup 1.5, compress 2`);

for (const chunk of [1, 4, 32, 256]) {
  const generator = new DataGenerator(options);
  const buffer = Buffer.alloc(chunk * MiB);
  const began = performance.now();
  while (!generator.isComplete) await generator.fillChunk(buffer);
  const rate = Number(generator.totalSize) / (performance.now() - began) / 1e6;
  console.log(`${`chunks of ${chunk} MiB`.padEnd(34)}${rate.toFixed(2).padStart(8)} GB/s`);
}
await shutdown();
