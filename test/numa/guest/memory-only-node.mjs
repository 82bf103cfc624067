// Node 2 has CPUs only, node 3 has memory only.
import { buffersOn, workOf } from './library.mjs';
import { observe } from './observe.mjs';
import { lanesOf } from './run.mjs';

await Promise.all([
  observe('lanes', () => lanesOf({})),
  observe('lanes of the node with CPUs only', () => lanesOf({ placement: { nodes: [2] } })),
]);
await observe('buffers', () => buffersOn([3], 3 * 1024 ** 2));
await observe('work for a buffer on the memory-only node', () => workOf({}, 3));
