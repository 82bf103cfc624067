/** What this build and this machine are, in one object for logs and bug reports. */
import { readdirSync, readFileSync } from 'node:fs';
import { binding } from './binding.js';
import { native } from './errors.js';
import type { Topology } from './machine.js';
import { loadTopology } from './topology.js';

/** This build on this machine. */
export interface SystemInformation {
  /** Cores, and PUs (hardware threads) in all and that this process may use. */
  readonly cores: number;
  readonly pus: number;
  readonly allowedPus: number;
  readonly numaNodes: readonly { readonly node: number; readonly memoryBytes: number; readonly pus: number }[];
  /** Bytes of the caches, summed over the machine's, where it tells; per cache beside it. */
  readonly l2: Cache;
  readonly l3: Cache;
  readonly pageBytes: number;
  readonly hugePages: {
    /** Whether the kernel gives huge pages by itself: `always`, `madvise` or `never`; absent where it does not say. */
    readonly transparent?: string;
    /** Pages set aside, by their size. */
    readonly reserved: readonly { readonly pageBytes: number; readonly pages: number; readonly free: number }[];
  };
  readonly kernels: { readonly available: readonly string[]; readonly inUse: string };
  readonly versions: { readonly library: string; readonly content: number; readonly node: string };
}

/** The caches of one level. */
export interface Cache {
  readonly count: number;
  readonly totalBytes: number;
}

const hugePagesFolder = '/sys/kernel/mm/hugepages';

/**
 * Looks at build and machine; takes some milliseconds.
 * @throws SeedstormError TOPOLOGY_UNREADABLE.
 */
export function systemInformation(): SystemInformation {
  const topology = loadTopology({}, { devices: false });
  const { contentVersion, kernels, kernelInUse, pageBytes } = native(() => binding.nativeInformation());
  const transparent = textOf('/sys/kernel/mm/transparent_hugepage/enabled')?.match(/\[(\w+)\]/u)?.[1];
  return {
    cores: topology.cores.length,
    pus: topology.pus.length,
    allowedPus: topology.allowedPus.length,
    numaNodes: topology.numaNodes.map(({ osIndex, memoryBytes, cpuset }) => ({
      node: osIndex,
      memoryBytes,
      pus: cpuset.length,
    })),
    l2: cachesOf(topology, 2),
    l3: cachesOf(topology, 3),
    pageBytes,
    hugePages: { ...(transparent === undefined ? {} : { transparent }), reserved: reservedHugePages() },
    kernels: { available: kernels, inUse: kernelInUse },
    versions: { library: libraryVersion(), content: contentVersion, node: process.versions.node },
  };
}

function cachesOf(topology: Topology, level: number): Cache {
  const caches = topology.caches.filter((cache) => cache.level === level);
  return { count: caches.length, totalBytes: caches.reduce((sum, cache) => sum + cache.sizeBytes, 0) };
}

/** Of folders named `hugepages-2048kB`. */
function reservedHugePages(): SystemInformation['hugePages']['reserved'] {
  return foldersOf(hugePagesFolder).flatMap((name) => {
    const kibibytes = name.match(/^hugepages-(\d+)kB$/u)?.[1];
    if (kibibytes === undefined) return [];
    const count = (file: string): number => Number(textOf(`${hugePagesFolder}/${name}/${file}`) ?? 0);
    return [{ pageBytes: Number(kibibytes) * 1024, pages: count('nr_hugepages'), free: count('free_hugepages') }];
  });
}

/** A container may hide these. */
function foldersOf(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function libraryVersion(): string {
  const { version }: { version: string } = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
  );
  return version;
}
