// The bench's TypeScript worker: measures what it is told on stdin, as the native worker does (see
// native/engine/examples/measure). Cases are `OPERATION HOW BYTES MILLISECONDS` with the operations `fill`,
// `fill-compress2`, `fill-dedup2` and the ways `sync` (fillChunkSync, on this thread) and `async` (fillChunk, by all
// lanes); and `loop-delay full|spare|idle BYTES MILLISECONDS`: how late the event loop is while all lanes, or all but one
// core's, fill.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { allocateBuffers, DataGenerator, Engine } from '@seedstorm/native';

const streamBytes = 2n ** 60n;
/** Bytes between looks at the clock, which cost as much as a small chunk does. */
const stepBytes = 2 ** 20;
/** The event loop's delay is sampled by a timer of this period, which every sample contains. */
const samplingMs = 1;
const shapes = { fill: {}, 'fill-compress2': { compress: 2 }, 'fill-dedup2': { dedup: 2 } };

const engine = await Engine.start();
/** What makes each operation's bytes in each way. */
const generators = Object.fromEntries(
  Object.entries(shapes).map(([operation, shape]) => {
    const options = { engine, size: streamBytes, seed: 1n, ...shape };
    return [operation, { sync: new DataGenerator({ ...options, maxThreads: 1 }), async: new DataGenerator(options) }];
  }),
);
let room = Buffer.alloc(0);

/** The first bytes of the one buffer, which grows with the cases; of memory as the native worker's is. */
async function buffer(bytes) {
  if (room.length < bytes) [room] = await allocateBuffers({ bytes });
  return room.subarray(0, bytes);
}

/** Steps until the time is over; a step tells how many bytes it made. */
async function timed(milliseconds, step) {
  const cpu = process.cpuUsage();
  const began = performance.now();
  let amount = 0;
  let taken = 0;
  while (taken < milliseconds) {
    const made = step();
    // Waiting for what is no promise would put a turn of the event loop into every step.
    amount += typeof made === 'number' ? made : await made;
    taken = performance.now() - began;
  }
  const { user, system } = process.cpuUsage(cpu);
  return { perSecond: (amount / taken) * 1000, amount, cpuNs: (user + system) * 1000 };
}

async function fill(operation, how, bytes, milliseconds) {
  const generator = generators[operation][how];
  const chunk = await buffer(bytes);
  const calls = Math.ceil(stepBytes / bytes);
  const steps = {
    sync: () => {
      let made = 0;
      for (let call = 0; call < calls; call++) made += generator.fillChunkSync(chunk);
      return made;
    },
    async: async () => {
      let made = 0;
      for (let call = 0; call < calls; call++) made += await generator.fillChunk(chunk);
      return made;
    },
  };
  return timed(milliseconds, steps[how]);
}

async function loopDelay(cores, bytes, milliseconds) {
  const lanes = cores === 'spare' ? await Engine.start({ placement: { reserveCores: 1 } }) : engine;
  try {
    const generator = new DataGenerator({ engine: lanes, size: streamBytes, seed: 1n });
    const chunk = await buffer(bytes);
    const delay = monitorEventLoopDelay({ resolution: samplingMs });
    delay.enable();
    const idle = async () => {
      await setTimeout(milliseconds);
      return 1;
    };
    const sample = await timed(milliseconds, cores === 'idle' ? idle : () => generator.fillChunk(chunk));
    delay.disable();
    return { ...sample, delayP99Ms: Math.max(0, delay.percentile(99) / 1e6 - samplingMs) };
  } finally {
    if (lanes !== engine) await lanes.close();
  }
}

console.log(JSON.stringify({ node: process.version }));
for await (const line of createInterface({ input: process.stdin })) {
  const [operation, how, bytes, milliseconds] = line.split(' ');
  const measure = operation === 'loop-delay' ? loopDelay : fill.bind(undefined, operation);
  const answer = await Promise.resolve()
    .then(() => measure(how, Number(bytes), Number(milliseconds)))
    .catch((error) => ({ error: error.message }));
  console.log(JSON.stringify(answer));
}
await engine.close();
