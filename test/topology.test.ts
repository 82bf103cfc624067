/** `seedstorm topology` for people who plan: on a node that is not at hand, and with input that is wrong. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { commandFile, root } from './support/command.js';
import { expectError } from './support/errors.js';
import { writeLinuxMachine } from './support/linux-machine.js';
import type { Sandbox } from './support/sandbox.js';
import { test } from './support/test.js';

const machines = join(root, 'test/topologies');
const files = readdirSync(machines).filter((name) => name.endsWith('.xml'));
const epyc = join(machines, 'AMD-19h-Zen4-2xEpyc-9654.xml');
const cpuset = join(machines, '16amd64-8n2c-cpusets.xml');

async function stdoutOf(sandbox: Sandbox, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await sandbox.run('topology', ...args);
  expect(code, stderr).toBe(0);
  expect(stderr).toBe('');
  return stdout;
}

describe('a machine and the placement on it', () => {
  async function placed(sandbox: Sandbox, ...args: string[]): Promise<Placed> {
    return JSON.parse(await stdoutOf(sandbox, ...args, '--json'));
  }

  test('places one lane on each core of another machine, one pool on each NUMA node, and none on a second thread', async ({
    sandbox,
  }) => {
    const { topology, pools } = await placed(sandbox, '--input', epyc);
    // The file itself says: 384 PUs, and the two of core n are n and n + 192.
    expect(readFileSync(epyc, 'utf8').match(/type="PU"/gu)).toHaveLength(384);
    expect(topology).toMatchObject({ packages: { length: 2 }, pus: { length: 384 }, numaNodes: { length: 2 } });
    expect(topology.cores.map(({ pus }) => pus)).toEqual(Array.from({ length: 192 }, (_, n) => [n, n + 192]));
    const range = (first: number): number[] => Array.from({ length: 96 }, (_, n) => first + n);
    expect(
      pools.map(({ numaNode, memoryNode, lanes }) => ({ numaNode, memoryNode, pus: lanes.map(({ pu }) => pu) })),
    ).toEqual([
      { numaNode: 0, memoryNode: 0, pus: range(0) },
      { numaNode: 1, memoryNode: 1, pus: range(96) },
    ]);
    expect(pools.flatMap(({ lanes }) => lanes.map(({ index }) => index))).toEqual([...range(0), ...range(96)]);
  });

  test('places as it is told', async ({ sandbox }) => {
    const lanes = ({ pools }: Placed): number[][] => pools.map((pool) => pool.lanes.map(({ pu }) => pu));
    const [smt, few, second] = await Promise.all([
      placed(sandbox, '--input', epyc, '--smt'),
      placed(sandbox, '--input', epyc, '--lanes-per-pool', '2', '--reserve-cores', '1'),
      placed(sandbox, '--input', epyc, '--nodes', '1'),
    ]);
    expect(lanes(smt).map(({ length }) => length)).toEqual([192, 192]);
    expect(lanes(few).map(({ length }) => length)).toEqual([2, 2]);
    expect(second.pools.map(({ numaNode }) => numaNode)).toEqual([1]);
  });

  test('takes a synthetic machine', async ({ sandbox }) => {
    const { topology, pools } = await placed(sandbox, '--synthetic', 'package:2 numa:2 core:4 pu:2');
    expect(topology.pus).toHaveLength(32);
    expect(pools.map(({ lanes }) => lanes.map(({ pu }) => pu))).toEqual([
      [0, 2, 4, 6],
      [8, 10, 12, 14],
      [16, 18, 20, 22],
      [24, 26, 28, 30],
    ]);
  });

  test('shows this machine to a person', async ({ sandbox }) => {
    const { code, stdout, stderr } = await sandbox.run('topology');
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^this machine: \d+ packages?, (\d+ dies, )?\d+ NUMA nodes?, \d+ cores?, \d+ PUs?/u);
    expect(stdout).toMatch(/^placement: [1-9]\d* lanes? in [1-9]\d* pools?$/mu);
  });

  test('says of a file that is no machine that it is none', async ({ sandbox }) => {
    const broken = join(sandbox.folder, 'broken.xml');
    writeFileSync(broken, readFileSync(epyc, 'utf8').slice(0, 5000));
    const unreadable = 'SEEDSTORM_E_TOPOLOGY_UNREADABLE';
    const [cut, missing, nonsense] = await Promise.all([
      sandbox.run('topology', '--input', broken),
      sandbox.run('topology', '--input', join(sandbox.folder, 'none.xml')),
      sandbox.run('topology', '--synthetic', 'castle:2'),
    ]);
    expectError(cut, 2, unreadable, /broken\.xml cannot be loaded/u);
    expectError(missing, 2, unreadable, /none\.xml cannot be loaded: No such file/u);
    expectError(nonsense, 2, unreadable, /"castle:2" cannot be loaded/u);
  });
});

describe('a machine that was exported', () => {
  test('is planned elsewhere as it is here: the same objects, limits, devices and lanes', async ({ sandbox }) => {
    const file = join(sandbox.folder, 'this.xml');
    const exported = await sandbox.run('topology', '--export', file);
    expect(exported).toMatchObject({ code: 0, stdout: '', stderr: `wrote ${file}\n` });
    const [here, there] = await Promise.all([
      stdoutOf(sandbox, '--json').then((text) => JSON.parse(text)),
      stdoutOf(sandbox, '--json', '--input', file).then((text) => JSON.parse(text)),
    ]);
    expect(here.topology.isThisMachine).toBe(true);
    expect(there.topology).toEqual({ ...here.topology, name: file, isThisMachine: false });
    expect(there.pools).toEqual(here.pools);
  });

  test('keeps the limits that a batch scheduler set', async ({ sandbox }) => {
    const file = join(sandbox.folder, 'copy.xml');
    expect(await sandbox.run('topology', '--input', cpuset, '--export', file)).toMatchObject({ code: 0 });
    const [first, copy] = await Promise.all([stdoutOf(sandbox, '--input', cpuset), stdoutOf(sandbox, '--input', file)]);
    const tree = (text: string): string => text.slice(text.indexOf('caches:'));
    expect(tree(copy)).toBe(tree(first));
    expect(copy).toContain('(6 more off-line or hidden)');
  });

  test.skipIf(availableParallelism() < 2)('keeps the affinity of the process that wrote it', async ({ sandbox }) => {
    const file = join(sandbox.folder, 'narrow.xml');
    const { allowedPus } = JSON.parse(await stdoutOf(sandbox, '--json')).topology;
    const pu = allowedPus.at(-1);
    execFileSync('taskset', ['-c', `${pu}`, process.execPath, commandFile, 'topology', '--export', file], {
      stdio: 'pipe',
    });
    const { topology, pools } = JSON.parse(await stdoutOf(sandbox, '--input', file, '--json'));
    expect(topology.allowedPus).toEqual([pu]);
    expect(topology.pus.length).toBeGreaterThan(1);
    expect(pools.map(({ lanes }: { lanes: { pu: number }[] }) => lanes.map((lane) => lane.pu))).toEqual([[pu]]);
  });

  test('does not take the place of another file', async ({ sandbox }) => {
    const file = join(sandbox.folder, 'precious.xml');
    writeFileSync(file, 'precious');
    const taken = await sandbox.run('topology', '--export', file);
    expectError(taken, 1, 'SEEDSTORM_E_IO', /precious\.xml: EEXIST/u);
    expect(readFileSync(file, 'utf8')).toBe('precious');
    const nowhere = await sandbox.run('topology', '--export', join(sandbox.folder, 'none/machine.xml'));
    expectError(nowhere, 1, 'SEEDSTORM_E_IO', /none\/machine\.xml: ENOENT/u);
  });

  test('goes to stdout for a pipe', async ({ sandbox }) => {
    expect(await stdoutOf(sandbox, '--synthetic', 'pu:2', '--export', '-')).toMatch(/^<\?xml .*<\/topology>\n$/su);
  });
});

describe('a machine as Linux tells of it', () => {
  test('has its off-line CPU, its memory without CPUs and its CPUs without memory in the right place', async ({
    sandbox,
  }) => {
    const cpu = (at: number) => ({ package: Math.floor(at / 4), core: Math.floor((at % 4) / 2), isOffline: at === 7 });
    const variables = writeLinuxMachine(sandbox.makeFolder('linux'), {
      cpus: Array.from({ length: 8 }, (_, at) => cpu(at)),
      nodes: [
        { cpus: [0, 1, 2, 3], mib: 4096, distances: [10, 21, 17] },
        { cpus: [4, 5, 6, 7], mib: 0, distances: [21, 10, 12] },
        { cpus: [], mib: 8192, distances: [17, 12, 10] },
      ],
    });
    const [json, text] = await Promise.all(
      [['--json'], ['--smt']].map(async (flags) => {
        const { code, stdout, stderr } = await sandbox.startWith(variables, 'topology', ...flags).ended;
        expect(code, stderr).toBe(0);
        return stdout;
      }),
    );
    const { topology, pools } = JSON.parse(json ?? '');
    expect(topology).toMatchObject({ pus: [0, 1, 2, 3, 4, 5, 6], completePus: [0, 1, 2, 3, 4, 5, 6, 7] });
    expect(
      pools.map(
        ({ numaNode, memoryNode, lanes }: { numaNode: number; memoryNode: number; lanes: { pu: number }[] }) => ({
          numaNode,
          memoryNode,
          pus: lanes.map(({ pu }) => pu),
        }),
      ),
    ).toEqual([
      { numaNode: 0, memoryNode: 0, pus: [0, 2] },
      // hwloc attaches memory without CPUs to the CPUs nearest to it: these have node 2 beside their own.
      { numaNode: 2, memoryNode: 2, pus: [4, 6] },
    ]);
    expect(text).toContain(`
Package 0
├─ NUMA node 0: 4 GiB → 4 lanes
└─ 2 cores [0]+[1] [2]+[3]
Package 1
├─ NUMA node 1: no memory
├─ NUMA node 2: 8 GiB → 3 lanes
└─ 2 cores [4]+[5] [6]
off-line or hidden: PUs 7
`);
  });
});

describe('every machine that there is a file of', () => {
  test.concurrent.for(files)('%s is drawn for a terminal of 100 columns', async (name, { sandbox }) => {
    const text = await stdoutOf(sandbox, '--input', join(machines, name), '--reserve-cores', '2');
    const lines = text.split('\n').filter((line) => !line.includes(name));
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100);
    expect(text).toMatch(/^placement: \d+ lanes in \d+ pools, 2 cores reserved$/mu);
    expect(text).toMatch(/^PUs: \[\d+\] has a lane/mu);
  });
});

describe('a machine that cannot be read', () => {
  const whole = readFileSync(epyc, 'utf8');

  test.concurrent.for<[name: string, text: string, why: RegExp]>([
    ['newer.xml', whole.replace('version="2.0"', 'version="3.0"'), /newer\.xml .*hwloc 3/u],
    ['cut.xml', whole.slice(0, whole.length - 40), /cut\.xml .*not a whole XML file/u],
    ['broken.xml', whole.replace('<object type="Die"', '<object type=Die'), /broken\.xml .*not a whole XML file/u],
    // hwloc, and so lstopo, dies of this one.
    [
      'edited.xml',
      whole.replace(/complete_cpuset="0x00000001" (nodeset="\S+" complete_nodeset="\S+"\/>)/u, '$1'),
      /edited\.xml .*line \d+: a PU without complete_cpuset/u,
    ],
    ['empty.xml', '', /empty\.xml .*empty/u],
    ['plan.yaml', 'data: { size: 1MiB }\n', /plan\.yaml .*not a whole XML file/u],
  ])('%s is named, with what is wrong', async ([name, text, why], { sandbox }) => {
    const file = join(sandbox.folder, name);
    writeFileSync(file, text);
    const ended = await sandbox.run('topology', '--input', file);
    expectError(ended, 2, 'SEEDSTORM_E_TOPOLOGY_UNREADABLE', why);
    expect(ended.stdout).toBe('');
  });

  test.concurrent.for<[description: string, why: RegExp]>([
    ['package:2 core', /"package:2 core" .*not a synthetic description/u],
    ['core:0', /"core:0" .*not a synthetic description/u],
    ['core:100000 pu:4', /"core:100000 pu:4" .*400000 PUs/u],
  ])('the description %s is repeated', async ([description, why], { sandbox }) => {
    const ended = await sandbox.run('topology', '--synthetic', description);
    expectError(ended, 2, 'SEEDSTORM_E_TOPOLOGY_UNREADABLE', why);
  });
});

describe('a placement that the machine has no room for', () => {
  test.concurrent.for<[flags: string, code: string, what: RegExp]>([
    ['--nodes 1,7', 'SEEDSTORM_E_INVALID_ARGUMENT', /Epyc-9654\.xml has no NUMA node 7/u],
    ['--lanes-per-pool 97', 'SEEDSTORM_E_INVALID_ARGUMENT', /97 lanes .*Epyc-9654\.xml has room for 96/u],
    ['--lanes-per-pool 193 --smt', 'SEEDSTORM_E_INVALID_ARGUMENT', /193 lanes .*has room for 192/u],
    ['--lanes-per-pool 0', 'SEEDSTORM_E_INVALID_ARGUMENT', /0 lanes per pool/u],
    ['--lanes-per-pool 99999999999', 'SEEDSTORM_E_INVALID_ARGUMENT', /lanes per pool is 99999999999/u],
    ['--reserve-cores 192', 'SEEDSTORM_E_NO_CORES', /192 of .*Epyc-9654\.xml's 192 usable cores/u],
  ])('%s is refused with the number', async ([flags, code, what], { sandbox }) => {
    const ended = await sandbox.run('topology', '--input', epyc, ...flags.split(' '));
    expectError(ended, 2, code, what);
    expect(ended.stdout).toBe('');
  });

  test('a node whose CPUs are not allowed has no core to give', async ({ sandbox }) => {
    const ended = await sandbox.run('topology', '--input', cpuset, '--nodes', '5');
    expectError(ended, 2, 'SEEDSTORM_E_NO_CORES', /NUMA nodes \[5\] of .*cpusets\.xml have no core/u);
  });

  test('two machines at once are one too many', async ({ sandbox }) => {
    const ended = await sandbox.run('topology', '--input', epyc, '--synthetic', 'core:2');
    expectError(
      ended,
      2,
      'SEEDSTORM_E_USAGE',
      /'--synthetic <description>' cannot be used with option '--input <xml>'/u,
    );
  });
});

interface Placed {
  topology: { packages: unknown[]; cores: { pus: number[]; numaNode: number }[]; pus: number[]; numaNodes: unknown[] };
  pools: { numaNode: number; memoryNode: number; lanes: { index: number; pu: number }[] }[];
}
