import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadTopology, type Placement, type PlacementOptions, place, type TopologySource } from '@seedstorm/native';
import { describe, expect, test } from 'vitest';
import { machineView } from './machine-view.js';

const folder = fileURLToPath(new URL('../../../../test/topologies/', import.meta.url));
const files = readdirSync(folder).filter((name) => name.endsWith('.xml'));
const hybrid = 'by-hand-hybrid-hbm-cxl.xml';
const machines: TopologySource[] = [
  ...files.map((name) => ({ xmlFile: `${folder}${name}` })),
  {},
  { synthetic: 'pu:1' },
  { synthetic: 'numa:2 pu:3' },
  { synthetic: 'package:16 numa:2 l3:4 core:8 pu:2' },
  { synthetic: 'group:2 package:2 numa:2 l2:3 core:2 pu:4' },
];

function drawn(source: TopologySource, options: PlacementOptions = {}): string {
  const topology = { ...loadTopology(source), name: 'the machine' };
  return machineView(topology, place(source, options));
}

function file(name: string): TopologySource {
  return { xmlFile: `${folder}${name}` };
}

/** The PUs between these brackets anywhere in the tree, ascending. */
function marked(text: string, open: string, close: string): number[] {
  const tree = text.slice(0, text.indexOf('\nplacement:'));
  const found = [...tree.matchAll(new RegExp(`\\${open}([\\d:-]+)\\${close}`, 'gu'))].flatMap(([, range = '']) => {
    const [ends = '', step = '1'] = range.split(':');
    const [first = 0, last = first] = ends.split('-').map(Number);
    return Array.from({ length: (last - first) / Number(step) + 1 }, (_, at) => first + at * Number(step));
  });
  return found.sort((a, b) => a - b);
}

function lanesOf({ pools }: Placement): number[] {
  return pools.flatMap(({ lanes }) => lanes.map(({ pu }) => pu)).sort((a, b) => a - b);
}

describe.each(machines.map((source) => [JSON.stringify(source).replace(folder, ''), source] as const))(
  '%s',
  (_, source) => {
    const topology = loadTopology(source);
    const most = Math.max(...place(source).pools.map(({ lanes }) => lanes.length));

    test.each<PlacementOptions>([
      {},
      { smt: true },
      { lanesPerPool: Math.ceil(most / 2) },
      { reserveCores: Math.floor(topology.cores.length / 4) },
    ])('shows every lane, reserved core and forbidden PU on %j, and nothing else as one', (options) => {
      const placement = place(source, options);
      const text = drawn(source, options);
      expect(marked(text, '[', ']')).toEqual(lanesOf(placement));
      const allowed = new Set(topology.allowedPus);
      const reserved = placement.reservedCores.flatMap((at) => topology.cores[at]?.pus ?? []);
      expect(marked(text, '(', ')')).toEqual(reserved.filter((pu) => allowed.has(pu)).sort((a, b) => a - b));
      expect(marked(text, '{', '}')).toEqual(topology.pus.filter((pu) => !allowed.has(pu)).sort((a, b) => a - b));
    });

    test('fits a terminal of 100 columns, and names every node and device', () => {
      const text = drawn(source, { smt: true });
      expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
      for (const { osIndex } of topology.numaNodes) expect(text).toMatch(new RegExp(`NUMA node ${osIndex}:`, 'u'));
      for (const { name } of topology.devices) expect(text).toMatch(new RegExp(`: .*\\b${name}\\b`, 'u'));
    });
  },
);

describe('a machine as a tree', () => {
  test('of 384 PUs takes a line for each L3', () => {
    const lines = drawn(file('AMD-19h-Zen4-2xEpyc-9654.xml')).split('\n');
    expect(lines.slice(0, 7)).toEqual([
      'the machine: 2 packages, 24 dies, 2 NUMA nodes, 192 cores, 384 PUs',
      'packages: AMD EPYC 9654 96-Core Processor',
      'caches: L3 32 MiB for 8 cores, L2 1 MiB, L1 32 KiB',
      '',
      'Package 0',
      '├─ NUMA node 0: memory of unknown size → 96 lanes',
      '├─ Die 0 + L3 32 MiB: 8 cores [0-7]+192-199',
    ]);
    expect(lines.length).toBeLessThan(40);
  });

  test('shows NICs and drives at the package that they are near to', () => {
    const text = drawn(file('192em64t-12gr2n8c2t.xml'));
    expect(text).toContain(`│  ├─ NUMA node 6: 31 GiB → 8 lanes
│  ├─ network: ib0
│  ├─ openfabrics: mlx4_0
│  └─ L3 20 MiB: 8 cores [48-55]+240-247`);
  });

  test('tells hidden CPUs and memory off limits', () => {
    const text = drawn(file('16amd64-8n2c-cpusets.xml'));
    expect(text).toContain('10 PUs (6 more off-line or hidden)\n');
    expect(text).toContain('NUMA node 0: no memory to use → 2 lanes with buffers on NUMA node 1\n');
    expect(text).toContain('\noff-line or hidden: PUs 4, 7-11\n');
  });

  test('shows kinds of cores and of memory, limits, reserved cores, devices and what the marks mean', () => {
    expect(drawn(file(hybrid), { reserveCores: 3, lanesPerPool: 5 })).toBe(`\
the machine: 2 packages, 4 NUMA nodes, 15 cores, 23 PUs (21 allowed, 1 more off-line or hidden)
packages: Made-up Hybrid 8-Core
caches: L3 24 MiB for 8 cores, L3 24 MiB for 7 cores, L2 2 MiB, L2 4 MiB for 4 cores, L2 4 MiB for 3
  cores, L1 48 KiB, L1 32 KiB

Package 0
├─ NUMA node 0: 64 GiB DRAM (126 GB/s, 90 ns) → 5 lanes
├─ NUMA node 1: 16 GiB HBM (839 GB/s, 110 ns)
├─ storage: nvme0n1, nvme1n1
└─ L3 24 MiB
   ├─ 4 cores of kind 1 [0]+1 {2}+{3} [4]+5 [6]+7
   └─ 4 cores of kind 0 (8-9) [10-11]
Package 1
├─ NUMA node 2: no memory to use → 5 lanes with buffers on NUMA node 0
├─ network: ib0
├─ openfabrics: mlx5_0
└─ L3 24 MiB
   ├─ 4 cores of kind 1 [12-18:2]+13-19:2
   └─ 3 cores of kind 0 (20) [21] 22
NUMA node 3: 256 GiB CXL-DRAM (62.9 GB/s, 250 ns)
network: eth0
off-line or hidden: PUs 23

placement: 10 lanes in 2 pools, 3 cores reserved
core kind 0 (slowest): CoreType IntelAtom, FrequencyMaxMHz 3000
core kind 1 (fastest): CoreType IntelCore, FrequencyMaxMHz 5000
PUs: [0] has a lane · 0 has none · (0) is reserved · {0} is not allowed · a+b are the hardware
  threads of a core · a-b:n is every nth from a to b
`);
  });

  test('explains no mark that is not there', () => {
    expect(drawn({ synthetic: 'pu:1' })).toMatch(/\nPUs: \[0\] has a lane\n$/u);
  });
});
