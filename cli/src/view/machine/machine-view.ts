/** Draws a machine and the placement on it as text, like lstopo: a tree of its parts, lanes marked on their PUs. */
import { formatBytes, formatRate } from '@seedstorm/coordinator/units';
import type { CoreKind, Device, NumaNode, Placement, PoolPlacement, Topology } from '@seedstorm/native';
import { type CorePus, marks, type PuState, rangesOf, runsOf } from './cores.js';
import { broken, columns, drawn, type Line } from './lines.js';
import { cacheName, type Part, treeOf } from './tree.js';

/** The machine and the placement on it, as lines of at most 100 columns. */
export function machineView(topology: Topology, placement: Placement): string {
  const drawing = new Drawing(topology, placement);
  const tree = drawing.tree();
  return `${[...drawing.head(), '', ...tree, '', ...drawing.foot(tree)].join('\n')}\n`;
}

class Drawing {
  readonly #topology: Topology;
  readonly #placement: Placement;
  readonly #states: ReadonlyMap<number, PuState>;
  readonly #pools: ReadonlyMap<number, PoolPlacement>;
  readonly #knowsMemory: boolean;

  constructor(topology: Topology, placement: Placement) {
    this.#topology = topology;
    this.#placement = placement;
    this.#states = statesOf(topology, placement);
    this.#pools = new Map(placement.pools.map((pool) => [pool.numaNode, pool]));
    this.#knowsMemory = topology.numaNodes.some(({ memoryBytes }) => memoryBytes > 0);
  }

  /** What it is, and how much of everything there is. */
  head(): string[] {
    const { name, packages, dies, numaNodes, cores, pus, completePus, allowedPus } = this.#topology;
    const models = new Set(packages.flatMap(({ model }) => (model === undefined ? [] : [model])));
    const offline = completePus.length - pus.length;
    const limits = [
      ...(allowedPus.length === pus.length ? [] : [`${allowedPus.length} allowed`]),
      ...(offline > 0 ? [`${offline} more ${this.#offline}`] : []),
    ];
    const counts = [
      count(packages.length, 'package'),
      ...(dies.length > packages.length ? [count(dies.length, 'die')] : []),
      count(numaNodes.length, 'NUMA node'),
      count(cores.length, 'core'),
      `${count(pus.length, 'PU')}${limits.length > 0 ? ` (${limits.join(', ')})` : ''}`,
    ];
    const caches = this.#caches();
    const title = `${name}: ${counts.join(', ')}`;
    return [
      // A long path stands by itself, so that the counts stay together.
      ...(title.length <= columns ? [title] : [`${name}:`, ...broken(counts.join(', ').split(' '), '  ', '  ')]),
      ...(models.size === 0 ? [] : broken(`packages: ${[...models].join(', ')}`.split(' '), '', '  ')),
      ...(caches === '' ? [] : broken(`caches: ${caches}`.split(' '), '', '  ')),
    ];
  }

  /** What PUs are that hwloc tells nothing of: whoever wrote a file may have been forbidden to see them. */
  get #offline(): string {
    return this.#topology.isThisMachine ? 'off-line' : 'off-line or hidden';
  }

  /** Each cache that there is, and how many cores share it: `L3 32 MiB for 8 cores`. */
  #caches(): string {
    const { caches, cores, pus } = this.#topology;
    const coreOf = new Map(cores.flatMap((core, at) => core.pus.map((pu) => [pu, at])));
    const ofPus = (of: readonly number[]): number => new Set(of.map((pu) => coreOf.get(pu))).size;
    const names = caches.map((cache) => {
      const sharers = ofPus(cache.pus);
      const isShared = sharers > 1 && pus.length > 1;
      return {
        level: cache.level,
        text: `${cacheName(cache.level, cache.sizeBytes)}${isShared ? ` for ${sharers} cores` : ''}`,
      };
    });
    return [...new Set(names.sort((a, b) => b.level - a.level).map(({ text }) => text))].join(', ');
  }

  tree(): string[] {
    const root = treeOf(this.#topology);
    const { completePus, pus } = this.#topology;
    const online = new Set(pus);
    const offline = completePus.filter((pu) => !online.has(pu));
    return drawn([
      ...root.parts.map((part) => this.#part(part)),
      ...this.#inside(root, []),
      ...(offline.length > 0 ? [leaf([`${this.#offline}: PUs`, ...rangesOf(offline)])] : []),
    ]);
  }

  #part(part: Part): Line {
    const cores = this.#coreLines(part.cores);
    const [only] = cores;
    // Cores of one kind stand on the line of what they are in, unless that has other things.
    const others = part.parts.length + part.nodes.length + part.devices.length;
    const words = others === 0 && cores.length === 1 && only !== undefined ? only.words : [];
    const name = part.name.split(' ');
    const last = name.pop() ?? '';
    return {
      words: [...name, words.length > 0 ? `${last}:` : last, ...words],
      below: [...this.#inside(part, words.length > 0 ? [] : cores), ...part.parts.map((inner) => this.#part(inner))],
    };
  }

  #inside(part: Part, cores: readonly Line[]): Line[] {
    const own = part.name === 'machine' ? this.#coreLines(part.cores) : cores;
    return [...part.nodes.map((node) => this.#node(node)), ...deviceLines(part.devices), ...own];
  }

  #node(node: NumaNode): Line {
    const pool = this.#pools.get(node.osIndex);
    const lanes = pool === undefined ? [] : ['→', ...count(pool.lanes.length, 'lane').split(' ')];
    const elsewhere = pool !== undefined && pool.memoryNode !== node.osIndex;
    const buffers = elsewhere ? `with buffers on NUMA node ${pool.memoryNode}`.split(' ') : [];
    return leaf(['NUMA', 'node', `${node.osIndex}:`, ...this.#memory(node).split(' '), ...lanes, ...buffers]);
  }

  #memory({ osIndex, memoryBytes, kind, bandwidthMibPerS, latencyNs }: NumaNode): string {
    const isAllowed = this.#topology.allowedNodes.includes(osIndex);
    if (memoryBytes === 0 && this.#knowsMemory) return isAllowed ? 'no memory' : 'no memory to use';
    const size = memoryBytes > 0 ? formatBytes(memoryBytes, 'binary') : 'memory of unknown size';
    const speeds = [
      ...(bandwidthMibPerS === undefined ? [] : [formatRate(bandwidthMibPerS * 1024 ** 2)]),
      ...(latencyNs === undefined ? [] : [`${latencyNs} ns`]),
    ];
    const words = [
      size,
      ...(kind === undefined ? [] : [kind]),
      ...(speeds.length === 0 ? [] : [`(${speeds.join(', ')})`]),
    ];
    return `${words.join(' ')}${isAllowed ? '' : ', not allowed'}`;
  }

  /** One line for each kind of cores. */
  #coreLines(cores: readonly number[]): Line[] {
    const kinds = new Map<number | undefined, number[]>();
    for (const at of cores) {
      const kind = this.#differ ? this.#topology.cores[at]?.kind : undefined;
      kinds.set(kind, [...(kinds.get(kind) ?? []), at]);
    }
    return [...kinds].map(([kind, of]) => {
      const what = count(of.length, 'core').split(' ');
      const pus = of.map(
        (at): CorePus => (this.#topology.cores[at]?.pus ?? []).map((pu) => ({ pu, state: this.#state(pu) })),
      );
      return leaf([...what, ...(kind === undefined ? [] : ['of', 'kind', `${kind}`]), ...runsOf(pus)]);
    });
  }

  get #differ(): boolean {
    return this.#topology.coreKinds.length > 1;
  }

  #state(pu: number): PuState {
    return this.#states.get(pu) ?? 'free';
  }

  /** The placement in one line, the kinds of cores, and what the marks mean that are to be seen. */
  foot(tree: readonly string[]): string[] {
    const { pools, reservedCores } = this.#placement;
    const lanes = pools.reduce((sum, pool) => sum + pool.lanes.length, 0);
    const reserved = reservedCores.length > 0 ? `, ${count(reservedCores.length, 'core')} reserved` : '';
    const kinds = this.#differ ? this.#topology.coreKinds.flatMap(kindLines) : [];
    return [
      `placement: ${count(lanes, 'lane')} in ${count(pools.length, 'pool')}${reserved}`,
      ...kinds,
      ...this.#legend(tree),
    ];
  }

  #legend(tree: readonly string[]): string[] {
    const { cores, pus } = this.#topology;
    const meanings: Readonly<Record<PuState, string>> = {
      lane: 'has a lane',
      free: 'has none',
      reserved: 'is reserved',
      forbidden: 'is not allowed',
    };
    const example = pus[0] ?? 0;
    const seen = new Set(pus.map((pu) => this.#state(pu)));
    const states = (['lane', 'free', 'reserved', 'forbidden'] as const).filter((state) => seen.has(state));
    const parts = [
      ...states.map((state) => `${marks[state].join(`${example}`)} ${meanings[state]}`),
      ...(cores.some((core) => core.pus.length > 1) ? ['a+b are the hardware threads of a core'] : []),
      ...(tree.some((line) => /\d:\d/u.test(line)) ? ['a-b:n is every nth from a to b'] : []),
    ];
    return broken(['PUs:', ...parts.join(' · ').split(' ')], '', '  ');
  }
}

function statesOf(topology: Topology, { pools, reservedCores }: Placement): Map<number, PuState> {
  const allowed = new Set(topology.allowedPus);
  const states = new Map<number, PuState>();
  for (const at of reservedCores) for (const pu of topology.cores[at]?.pus ?? []) states.set(pu, 'reserved');
  for (const pu of topology.pus) if (!allowed.has(pu)) states.set(pu, 'forbidden');
  for (const { lanes } of pools) for (const { pu } of lanes) states.set(pu, 'lane');
  return states;
}

/** One line for each kind of device. */
function deviceLines(devices: readonly Device[]): Line[] {
  return (['network', 'openfabrics', 'storage'] as const).flatMap((kind) => {
    const names = devices.filter((device) => device.kind === kind).map(({ name }) => name);
    return names.length === 0 ? [] : [leaf([`${kind}:`, ...names.join(', ').split(' ')])];
  });
}

/** `kind 0 (slowest): CoreType IntelAtom, FrequencyMaxMHz 3000`. */
function kindLines({ speed, infos }: CoreKind, at: number, all: readonly CoreKind[]): string[] {
  const speeds = all.flatMap((kind) => (kind.speed === undefined ? [] : [kind.speed]));
  const place = speed === Math.min(...speeds) ? ' (slowest)' : speed === Math.max(...speeds) ? ' (fastest)' : '';
  const said =
    infos.length === 0 ? 'nothing is said of it' : infos.map(({ name, value }) => `${name} ${value}`).join(', ');
  return broken(`core kind ${at}${place}: ${said}`.split(' '), '', '  ');
}

function leaf(words: readonly string[]): Line {
  return { words, below: [] };
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
