import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { exportTopology, loadTopology, place } from './topology.js';

const xmlFile = fileURLToPath(new URL('../../../test/topologies/by-hand-hybrid-hbm-cxl.xml', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'seedstorm-topology-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('a machine as plain objects', () => {
  const machine = loadTopology({ xmlFile });

  test('tells kinds of memory, and what is on-line, allowed or neither', () => {
    expect(machine.numaNodes.map(({ osIndex, kind, packageIndex }) => ({ osIndex, kind, packageIndex }))).toEqual([
      { osIndex: 0, kind: 'DRAM', packageIndex: 0 },
      { osIndex: 1, kind: 'HBM', packageIndex: 0 },
      { osIndex: 3, kind: 'CXL-DRAM', packageIndex: undefined },
      { osIndex: 2, kind: undefined, packageIndex: 1 },
    ]);
    expect(machine.numaNodes[0]).toMatchObject({
      memoryBytes: 64 * 1024 ** 3,
      bandwidthMibPerS: 120_000,
      latencyNs: 90,
    });
    expect(machine.completePus.filter((pu) => !machine.pus.includes(pu))).toEqual([23]);
    expect(machine.pus.filter((pu) => !machine.allowedPus.includes(pu))).toEqual([2, 3]);
    expect(machine.completeNodes).toEqual([0, 1, 2, 3]);
  });

  test('tells kinds of cores and the place of each core', () => {
    expect(machine.coreKinds).toEqual([
      expect.objectContaining({ speed: 0, infos: expect.arrayContaining([{ name: 'CoreType', value: 'IntelAtom' }]) }),
      expect.objectContaining({ speed: 1, infos: expect.arrayContaining([{ name: 'CoreType', value: 'IntelCore' }]) }),
    ]);
    expect(machine.cores[4]).toMatchObject({ pus: [8], kind: 0, numaNode: 0, numaNodes: [0, 1, 3], packageIndex: 0 });
  });

  test('tells where devices are, unless nobody wants to know', () => {
    expect(machine.devices[0]).toEqual({
      name: 'nvme0n1',
      kind: 'storage',
      model: 'Made-up NVMe 3.84 TB',
      pci: '0000:01:00.0',
      numaNodes: [0, 1, 3],
      packages: [0],
      cpuset: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
    });
    expect(loadTopology({ xmlFile }, { devices: false }).devices).toEqual([]);
  });

  test('tells groups and dies', () => {
    const grouped = loadTopology({ synthetic: 'group:2 package:2 die:2 core:2 pu:1' });
    expect(grouped.groups.map(({ cpuset, packageIndex }) => [cpuset.length, packageIndex])).toEqual([
      [8, undefined],
      [8, undefined],
    ]);
    expect(grouped.dies.map(({ packageIndex }) => packageIndex)).toEqual([0, 0, 1, 1, 2, 2, 3, 3]);
  });

  test('is the same after an export', () => {
    const copy = join(folder, 'copy.xml');
    writeFileSync(copy, exportTopology({ xmlFile }));
    expect(loadTopology({ xmlFile: copy })).toEqual({ ...machine, name: copy });
    expect(place({ xmlFile: copy })).toEqual(place({ xmlFile }));
  });

  test('has its reserved cores told with the placement, slow ones first', () => {
    expect(place({ xmlFile }, { reserveCores: 2 }).reservedCores).toEqual([4, 12]);
  });
});
