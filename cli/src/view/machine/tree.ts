/**
 * The machine as a tree, by which PUs each part has: packages, groups, dies and shared caches, with the NUMA nodes,
 * cores and devices that belong to each. It must never know of lanes, or of how it is drawn.
 */
import { formatBytes } from '@seedstorm/coordinator/units';
import type { Device, NumaNode, Topology } from '@seedstorm/native';

/** A part of the machine. */
export interface Part {
  /** Its name, such as `Package 0`; of parts one in the other that have nothing else, `Die 0 + L3 32 MiB`. */
  readonly name: string;
  /** How many PUs it has. */
  readonly size: number;
  readonly parts: readonly Part[];
  readonly nodes: readonly NumaNode[];
  readonly devices: readonly Device[];
  /** Positions in the topology's `cores` of those that are in none of its parts. */
  readonly cores: readonly number[];
}

/** A part that is being put together. */
interface Growing extends Part {
  readonly pus: ReadonlySet<number>;
  readonly parts: Growing[];
  readonly nodes: NumaNode[];
  readonly devices: Device[];
  readonly cores: number[];
}

/** The machine as a tree; the root is the machine itself. */
export function treeOf(topology: Topology): Part {
  const root = part('machine', topology.pus);
  const innermost = new Map<number, Growing>(topology.pus.map((pu) => [pu, root]));
  const [first] = topology.pus;
  for (const item of itemsOf(topology).sort((a, b) => b.pus.size - a.pus.size)) {
    const [pu = first] = item.pus;
    if (item.size === 0 || pu === undefined) continue;
    (innermost.get(pu) ?? root).parts.push(item);
    for (const each of item.pus) innermost.set(each, item);
  }
  for (const [at, core] of topology.cores.entries()) {
    const [pu = first] = core.pus;
    if (pu !== undefined) (innermost.get(pu) ?? root).cores.push(at);
  }
  for (const node of topology.numaNodes) placeOf(root, node.cpuset).nodes.push(node);
  for (const device of topology.devices) placeOf(root, device.cpuset).devices.push(device);
  sortParts(root, new Map(topology.pus.map((pu, at) => [pu, at])));
  return joined(root);
}

function part(name: string, pus: readonly number[]): Growing {
  return { name, size: pus.length, pus: new Set(pus), parts: [], nodes: [], devices: [], cores: [] };
}

/** All parts; of those with the same PUs the outer one first. */
function itemsOf(topology: Topology): Growing[] {
  const packageSizes = new Set(topology.packages.map(({ cpuset }) => cpuset.join()));
  const groups = topology.groups.map((group, at) => ({
    ...part(`${group.kind ?? 'Group'} ${at}`, group.cpuset),
    isInside: group.packageIndex !== undefined,
  }));
  return [
    ...groups.filter(({ isInside }) => !isInside),
    ...topology.packages.map(({ osIndex, cpuset }, at) => part(`Package ${osIndex ?? at}`, cpuset)),
    // A die that is all of its package says nothing.
    ...topology.dies
      .filter(({ cpuset }) => !packageSizes.has(cpuset.join()))
      .map(({ osIndex, cpuset }, at) => part(`Die ${osIndex ?? at}`, cpuset)),
    ...groups.filter(({ isInside }) => isInside),
    ...sharedCaches(topology).map(({ level, sizeBytes, pus }) => part(cacheName(level, sizeBytes), pus)),
  ];
}

/** Caches from the third level on; on machines without, those of the second that several cores share. */
function sharedCaches({ caches, cores }: Topology): Topology['caches'] {
  const large = caches.filter(({ level }) => level >= 3).sort((a, b) => b.level - a.level);
  if (large.length > 0) return large;
  return caches.filter((_, at) => cores.filter(({ l2 }) => l2 === at).length > 1);
}

/** `L3 32 MiB`, or `L3` where the machine does not tell. */
export function cacheName(level: number, sizeBytes: number): string {
  return sizeBytes > 0 ? `L${level} ${formatBytes(sizeBytes, 'binary')}` : `L${level}`;
}

/** The part that something with these PUs belongs to: the outermost that has just them, else the smallest around. */
function placeOf(root: Growing, cpuset: readonly number[]): Growing {
  let place = root;
  for (;;) {
    const inner = place.parts.find(({ pus }) => cpuset.length > 0 && cpuset.every((pu) => pus.has(pu)));
    if (inner === undefined || (place !== root && place.size === cpuset.length)) return place;
    place = inner;
  }
}

/** Brings parts into the machine's order, in which neighbours are neighbours. */
function sortParts(of: Growing, order: ReadonlyMap<number, number>): void {
  const firstOf = ({ pus }: Growing): number => {
    const [pu] = pus;
    return pu === undefined ? 0 : (order.get(pu) ?? 0);
  };
  of.parts.sort((a, b) => firstOf(a) - firstOf(b));
  for (const inner of of.parts) sortParts(inner, order);
}

/** A part that holds one part and nothing else is one line with it. */
function joined(of: Part): Part {
  const parts = of.parts.map(joined);
  const [only] = parts;
  const isChain =
    of.name !== 'machine' && parts.length === 1 && of.nodes.length + of.devices.length + of.cores.length === 0;
  return isChain && only !== undefined ? { ...only, name: `${of.name} + ${only.name}` } : { ...of, parts };
}
