// 16 CPUs on 4 nodes. Commands run two at a time: the host has that many cores at least.
import { buffersOn, workOf } from './library.mjs';
import { observe } from './observe.mjs';
import { cgroup2, lanesOf, seedstorm, taskset } from './run.mjs';

await Promise.all([
  observe('topology', () => seedstorm(['topology', '--json'])),
  observe('bench', () => seedstorm(['bench', '--seconds', '0.1', '--explain', '--json'])),
]);
await Promise.all([
  observe('lanes', () => lanesOf({})),
  observe('lanes with large buffers', () => lanesOf({ bufferBytes: 6 * 1024 ** 2 })),
]);
await Promise.all([
  observe('lanes under taskset', () => lanesOf({}, taskset('2,5-6,15'))),
  observe('lanes in a cgroup', () => lanesOf({}, cgroup2('1,8-11', '0,2'))),
]);
await observe('buffers', () => buffersOn([0, 1, 2, 3], 3 * 1024 ** 2));
await observe('work for node 2', () => workOf({ numaMode: 2 }));
await observe('work for all', () => workOf({ numaMode: 'all' }));
await observe("work for the buffer's node", () => workOf({}, 1));
