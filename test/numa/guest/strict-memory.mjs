// Two nodes, of which the second one is made too full for its lanes' buffers.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { startCluster } from './cluster.mjs';
import { fill, giveBack } from './hog.mjs';
import { observe } from './observe.mjs';
import { lanesOf, run } from './run.mjs';

const mebibyte = 1024 ** 2;
/** What is left on the full node; two lanes want 64 MiB each. */
const leftBytes = 48 * mebibyte;
const bufferBytes = 64 * mebibyte;
const placement = { nodes: [1] };
const strict = { placement, bufferBytes, memory: { binding: 'strict' } };
const preferred = { placement, bufferBytes };

const refusal = async (refused, possible) => {
  const seen = await run('node', 'guest/refusal.mjs', JSON.stringify(refused), JSON.stringify(possible));
  return seen.code === 0 ? JSON.parse(seen.stdout) : seen;
};
const setAside = (node, pages) =>
  writeFileSync(`/sys/devices/system/node/node${node}/hugepages/hugepages-2048kB/nr_hugepages`, String(pages));

execFileSync('ip', ['link', 'set', 'lo', 'up']);
setAside(1, 8);
// It gets its engine with the first run.
const starting = startCluster('--nodes', '1', '--memory', 'strict', '--buffer-bytes', '64MiB');
const explicit = { bufferBytes: 8 * mebibyte, memory: { binding: 'strict', hugePages: 'explicit' } };
await Promise.all([
  observe('huge pages of node 1', () => lanesOf({ ...explicit, placement })),
  observe('huge pages of node 0', () =>
    refusal({ ...explicit, placement: { nodes: [0] } }, { placement: { nodes: [0] } }),
  ),
]);
setAside(1, 0);

fill(1, leftBytes);
await observe('a strict engine and then another', () => refusal(strict, preferred));
const cluster = await starting;
await observe('a run on a strict agent', cluster.run);
await observe('the agent', () => ({ isAlive: cluster.agent.isAlive() }));
giveBack();
await observe('a run when the node has room again', cluster.run);
cluster.coordinator.end();
