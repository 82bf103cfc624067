// The library on several nodes, as a program uses it.
import { setTimeout as pause } from 'node:timers/promises';
import { allocateBuffers, bufferPlace, DataGenerator, Engine } from '@seedstorm/native';
import { laneThreads, memoryByNode } from './kernel-says.mjs';

const mebibyte = 1024 ** 2;

/** Where buffers lie that are asked of each of these nodes: of the bytes bound to the node, how many are on which. */
export async function buffersOn(nodes, bytes) {
  // They stay referenced until the kernel was asked.
  const buffers = [];
  for (const node of nodes) buffers.push(...(await allocateBuffers({ count: 2, bytes, node })));
  const { bound } = memoryByNode();
  return { bound, places: buffers.map((buffer) => bufferPlace(buffer).node) };
}

/** How long each lane of a new engine runs while a generator of these options fills a buffer, and what is wrong in it. */
export async function workOf(options, node) {
  const engine = await Engine.start();
  try {
    const generator = new DataGenerator({ size: 2 ** 40, seed: 7n, engine, ...options });
    const [buffer] = await allocateBuffers({ bytes: 32 * mebibyte, ...(node === undefined ? {} : { node }) });
    // A new lane is up before it has gone to sleep.
    while (laneThreads().some((lane) => !lane.sleeps)) await pause(10);
    const before = new Map(laneThreads().map((lane) => [lane.name, lane.ranNs]));
    await generator.fillChunk(buffer);
    const ranNs = laneThreads().map((lane) => ({ lane: lane.name, ns: lane.ranNs - before.get(lane.name) }));
    const { faults } = await generator.verify(buffer.subarray(-mebibyte), buffer.length - mebibyte);
    return { placement: engine.placement, ranNs, faults };
  } finally {
    await engine.close();
  }
}
