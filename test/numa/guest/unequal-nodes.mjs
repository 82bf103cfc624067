// 2, 6 and 8 CPUs.
import { workOf } from './library.mjs';
import { observe } from './observe.mjs';
import { cgroup1, cpuQuota, lanesOf, run } from './run.mjs';

await Promise.all([
  observe('lanes', () => lanesOf({})),
  observe('four lanes a pool', () => lanesOf({ placement: { lanesPerPool: 4 } })),
]);
await Promise.all([
  observe('lanes in a cgroup', () => lanesOf({}, cgroup1('0,5-9', '0-2'))),
  observe('lanes without memory of their own', () => lanesOf({}, cgroup1('2-3', '0,2'))),
]);
await observe('work for all', () => workOf({ numaMode: 'all' }));
await observe('lanes under a CPU quota', () => lanesOf({}, cpuQuota(5)));
// Last: the CPU stays off.
await observe('a CPU that goes off-line', async () => {
  const seen = await run('node', 'guest/off-line.mjs', '9');
  return seen.code === 0 ? JSON.parse(seen.stdout) : seen;
});
