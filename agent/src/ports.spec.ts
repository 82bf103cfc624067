import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Ports } from './ports.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'seedstorm-ports-'));
});
afterEach(() => rmSync(root, { recursive: true }));

/** Writes what the kernel of another host would tell. */
function kernelTells(files: Record<string, string | number>): void {
  for (const [name, value] of Object.entries(files)) {
    const file = join(root, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${value}\n`);
  }
}

function nic(name: string, bytes: number, more: Record<string, number | string> = {}): void {
  const counters = { 'statistics/rx_bytes': bytes, 'statistics/tx_bytes': 2 * bytes, operstate: 'up', ...more };
  kernelTells(
    Object.fromEntries(Object.entries(counters).map(([file, value]) => [`sys/class/net/${name}/${file}`, value])),
  );
}

const snmp = (retransmits: number) => `Tcp: RtoAlgorithm RetransSegs InErrs\nTcp: 1 ${retransmits} 0`;
const port = (changes: object) => ({
  kind: 'nic',
  receivedBytes: 0n,
  sentBytes: 0n,
  errors: 0n,
  drops: 0n,
  ...changes,
});

describe('the ports of a host', () => {
  test('tell what came since the beginning, with errors and drops of both directions, and what TCP sent again', async () => {
    nic('eth0', 1000, { 'statistics/rx_errors': 5 });
    kernelTells({ 'proc/net/snmp': snmp(7) });
    const ports = await Ports.open(false, root);
    nic('eth0', 4000, {
      'statistics/rx_errors': 6,
      'statistics/tx_errors': 2,
      'statistics/rx_dropped': 3,
      'statistics/tx_dropped': 4,
    });
    kernelTells({ 'proc/net/snmp': snmp(11) });
    expect(await ports.since(false)).toEqual({
      ports: [port({ name: 'eth0', receivedBytes: 3000n, sentBytes: 6000n, errors: 3n, drops: 7n })],
      tcpRetransmits: 4n,
    });
    // Not read again at once, unless it is for the last time.
    nic('eth0', 5000);
    expect((await ports.since(false)).ports[0]?.receivedBytes).toBe(3000n);
    expect((await ports.since(true)).ports[0]?.receivedBytes).toBe(4000n);
  });

  test('InfiniBand ports are among them, in bytes and not in the words that the device counts', async () => {
    const counters = 'sys/class/infiniband/mlx5_0/ports/1/counters';
    kernelTells({ [`${counters}/port_rcv_data`]: 10, [`${counters}/port_xmit_data`]: 0 });
    const ports = await Ports.open(false, root);
    kernelTells({
      [`${counters}/port_rcv_data`]: 260,
      [`${counters}/port_xmit_data`]: 100,
      [`${counters}/symbol_error`]: 1,
      [`${counters}/port_xmit_discards`]: 2,
    });
    const expected = { name: 'mlx5_0/1', kind: 'infiniband', receivedBytes: 1000n, sentBytes: 400n };
    expect((await ports.since(false)).ports).toEqual([port({ ...expected, errors: 1n, drops: 2n })]);
  });

  test('loopback counts only when it is what is used, and a port that is down never', async () => {
    for (const name of ['lo', 'eth0']) nic(name, 1);
    nic('eth1', 1, { operstate: 'down' });
    const names = async (withLoopback: boolean) =>
      (await (await Ports.open(withLoopback, root)).since(true)).ports.map(({ name }) => name);
    expect(await names(false)).toEqual(['eth0']);
    expect(await names(true)).toEqual(['eth0', 'lo']);
  });

  test('a host with hundreds of virtual ports tells of 64', async () => {
    for (let i = 0; i < 100; i++) nic(`veth${i}`, 1);
    expect((await (await Ports.open(false, root)).since(true)).ports).toHaveLength(64);
  });

  test('counters that begin anew are no negative traffic, and without a kernel’s files there is nothing', async () => {
    nic('eth0', 1000);
    const ports = await Ports.open(false, root);
    nic('eth0', 10);
    expect((await ports.since(true)).ports).toEqual([port({ name: 'eth0' })]);
    expect(await (await Ports.open(true, '/no-such-root')).since(true)).toEqual({ ports: [], tcpRetransmits: 0n });
  });
});
