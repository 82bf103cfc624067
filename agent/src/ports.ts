/**
 * What the ports of this host carry: NICs, InfiniBand ports, and what TCP sends again. The kernel counts for all
 * processes since it booted; told is what came since a stage was prepared. Read asynchronously: some drivers ask their
 * device, which takes its time.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { HostNetwork, PortCounters } from '@seedstorm/proto';

/** Ports that are counted; hosts have a few, and virtual ones by the hundred are nobody's concern. */
const maxPorts = 64;
/** Counters are not read more often than this, in ms. */
const freshMs = 900;
/** InfiniBand counts data in words of four bytes. */
const bytesPerWord = 4n;

/** The kernel's files: which of them make up which counter. */
const nicFiles = {
  receivedBytes: ['rx_bytes'],
  sentBytes: ['tx_bytes'],
  errors: ['rx_errors', 'tx_errors'],
  drops: ['rx_dropped', 'tx_dropped'],
};
const infinibandFiles = {
  receivedBytes: ['port_rcv_data'],
  sentBytes: ['port_xmit_data'],
  errors: ['port_rcv_errors', 'symbol_error', 'link_downed'],
  drops: ['port_xmit_discards', 'VL15_dropped'],
};
type Counter = keyof typeof nicFiles;
const counters = Object.keys(nicFiles) as Counter[];

interface Port {
  readonly name: string;
  readonly kind: 'nic' | 'infiniband';
  /** The folder of its counters. */
  readonly folder: string;
}

/** The ports of this host, since a stage was prepared. */
export class Ports {
  #latest: HostNetwork = { ports: [], tcpRetransmits: 0n };
  #readAtMs = 0;

  private constructor(
    private readonly root: string,
    private readonly ports: readonly Port[],
    private readonly before: HostNetwork,
  ) {}

  /** Finds the ports and reads them for the first time. Loopback is among them only when it is what is used. */
  static async open(withLoopback: boolean, root = '/'): Promise<Ports> {
    const found = [...(await nics(root, withLoopback)), ...(await infinibandPorts(root))];
    const ports = found.slice(0, maxPorts);
    return new Ports(root, ports, await read(root, ports));
  }

  /** What they carried since; about a second old at most, or read now for the last time. */
  async since(isLast: boolean): Promise<HostNetwork> {
    const nowMs = performance.now();
    if (!isLast && this.#readAtMs > 0 && nowMs - this.#readAtMs < freshMs) return this.#latest;
    const now = await read(this.root, this.ports);
    this.#readAtMs = nowMs;
    this.#latest = {
      ports: now.ports.map((port, i) => minus(port, this.before.ports[i])),
      tcpRetransmits: gained(now.tcpRetransmits, this.before.tcpRetransmits),
    };
    return this.#latest;
  }
}

async function nics(root: string, withLoopback: boolean): Promise<Port[]> {
  const names = await list(join(root, 'sys/class/net'));
  const ports: Port[] = [];
  for (const name of names) {
    const folder = join(root, 'sys/class/net', name);
    if (name === 'lo' ? !withLoopback : (await text(join(folder, 'operstate'))) === 'down') continue;
    ports.push({ name, kind: 'nic', folder: join(folder, 'statistics') });
  }
  return ports;
}

async function infinibandPorts(root: string): Promise<Port[]> {
  const devices = join(root, 'sys/class/infiniband');
  const ports: Port[] = [];
  for (const device of await list(devices)) {
    for (const port of await list(join(devices, device, 'ports'))) {
      const folder = join(devices, device, 'ports', port, 'counters');
      ports.push({ name: `${device}/${port}`, kind: 'infiniband', folder });
    }
  }
  return ports;
}

async function read(root: string, ports: readonly Port[]): Promise<HostNetwork> {
  return {
    ports: await Promise.all(ports.map(readPort)),
    tcpRetransmits: retransmits(await text(join(root, 'proc/net/snmp'))),
  };
}

async function readPort({ name, kind, folder }: Port): Promise<PortCounters> {
  const files = kind === 'nic' ? nicFiles : infinibandFiles;
  const unit = kind === 'nic' ? 1n : bytesPerWord;
  const sum = async (counter: Counter): Promise<bigint> => {
    const values = await Promise.all(files[counter].map(async (file) => number(await text(join(folder, file)))));
    return values.reduce((total, value) => total + value, 0n);
  };
  const [receivedBytes = 0n, sentBytes = 0n, errors = 0n, drops = 0n] = await Promise.all(counters.map(sum));
  return { name, kind, receivedBytes: receivedBytes * unit, sentBytes: sentBytes * unit, errors, drops };
}

/** RetransSegs of the lines "Tcp:" of /proc/net/snmp: names in the first, values in the second. */
function retransmits(snmp: string): bigint {
  const [names = [], values = []] = snmp
    .split('\n')
    .filter((line) => line.startsWith('Tcp:'))
    .map((line) => line.split(' '));
  return number(values[names.indexOf('RetransSegs')] ?? '');
}

function minus(now: PortCounters, before: PortCounters | undefined): PortCounters {
  const gains = counters.map((counter) => [counter, gained(now[counter], before?.[counter] ?? 0n)]);
  return { ...now, ...Object.fromEntries(gains) };
}

/** Counters go back when a driver is loaded anew: then nothing is known. */
function gained(now: bigint, before: bigint): bigint {
  return now > before ? now - before : 0n;
}

function number(digits: string): bigint {
  return /^\d+$/u.test(digits) ? BigInt(digits) : 0n;
}

async function list(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(() => [])).sort();
}

/** A file's text; empty where there is none, as for counters that a device does not have. */
async function text(file: string): Promise<string> {
  return (await readFile(file, 'utf8').catch(() => '')).trim();
}
