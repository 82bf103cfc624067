/** A set of running lanes: started once, parked between jobs, joined by `close`. */
import { SeedstormRangeError } from '@seedstorm/errors';
import type {
  ContentParameters,
  JsEngineOptions,
  JsLaneBench,
  JsLaneExplanation,
  NativeEngine,
  NativeLanes,
  NativeStream,
} from '../binding.js';
import { binding } from './binding.js';
import { checkForLanes, checkKept } from './destination.js';
import { native, nativeAsync } from './errors.js';
import { type MemoryOptions, nativeMemory } from './memory.js';
import type { PlacementOptions, PoolPlacement, TopologySource } from './topology.js';

/** What an engine is made of. */
export interface EngineOptions {
  readonly placement?: PlacementOptions;
  /** Where the lanes' memory comes from. */
  readonly memory?: MemoryOptions;
  /** Bytes of each lane's buffer at the start; default 1 MiB, which fits the L2 of today's cores. */
  readonly bufferBytes?: number;
  /** Another machine's topology; only with `pin: false`, for tests. */
  readonly topology?: TopologySource;
  /** Whether lanes are pinned to their PUs; default true. `false` is for tests and benches, and only with `topology`. */
  readonly pin?: boolean;
}

/** Where one lane and the pages of its buffer are, as the kernel tells, beside what was asked. */
export type LaneExplanation = JsLaneExplanation;

/** What one lane did in a bench. */
export type LaneBench = JsLaneBench;

const usualBufferBytes = 1024 ** 2;
/** Choices of lanes that an engine remembers: more than a program has kinds of generators. */
const maxKnownLanes = 64;

function nativeOptions(options: EngineOptions): JsEngineOptions {
  const { placement = {}, memory = {}, bufferBytes = usualBufferBytes, topology = {}, pin = true } = options;
  if (!pin && topology.xmlFile === undefined && topology.synthetic === undefined) {
    throw new SeedstormRangeError({
      what: 'lanes were asked for that are pinned to no PU, on this machine itself',
      mend: 'leave pin out; pin: false goes only with the topology of another machine, for tests',
    });
  }
  return { topology, placement, memory: nativeMemory(memory), bufferBytes, pin };
}

/** A set of running lanes. Close it when done: its threads live until then. */
export class Engine {
  readonly #lanes = new Map<string, NativeLanes>();
  #placement: PoolPlacement[] | undefined;

  private constructor(
    /** The addon's engine; for this package only. */
    readonly inner: NativeEngine,
  ) {}

  /**
   * Starts the lanes; resolves when each is pinned and has touched its buffer. Until `close` the process's other threads,
   * and processes that it starts, keep off the cores of lanes, where any other core is left to them.
   * @throws SeedstormError NO_CORES, LANE_START, OUT_OF_MEMORY, NUMA_MEMORY, HUGE_PAGES, INVALID_ARGUMENT,
   * TOPOLOGY_UNREADABLE.
   */
  static async start(options: EngineOptions = {}): Promise<Engine> {
    return new Engine(await nativeAsync(() => binding.startEngine(nativeOptions(options))));
  }

  /**
   * Starts the lanes and waits for them: this thread does nothing else meanwhile, which takes some milliseconds.
   * @throws SeedstormError as `start`.
   */
  static startAndWait(options: EngineOptions = {}): Engine {
    return new Engine(native(() => binding.startEngineAndWait(nativeOptions(options))));
  }

  /** The pools and lanes. */
  get placement(): PoolPlacement[] {
    this.#placement ??= native(() => this.inner.placement());
    return this.#placement;
  }

  /**
   * At most `max` lanes, of one NUMA node or of all; of all nodes about as many each. For this package only.
   * @throws SeedstormRangeError when no lane is left.
   */
  lanes(node?: number, max?: number): NativeLanes {
    const key = `${node} ${max}`;
    const known = this.#lanes.get(key);
    if (known !== undefined) return known;
    const lanes = native(() => this.inner.lanes(node, max));
    if (this.#lanes.size < maxKnownLanes) this.#lanes.set(key, lanes);
    return lanes;
  }

  /**
   * Fills `destination` with the stream's bytes from `offset` on, straight into it, by lanes: all unless given. Until the promise
   * settles the memory is the lanes': it must not be read, written or transferred, nor be WebAssembly memory that grows.
   * A transfer is found at the end and rejects; it is too late by then if the memory was given up.
   * @throws SeedstormError ENGINE_CLOSED, INVALID_ARGUMENT, LANE_PANICKED, QUEUE_FULL.
   */
  async fill(
    content: ContentParameters | NativeStream,
    generation: number,
    offset: bigint,
    destination: Uint8Array,
    lanes?: NativeLanes,
  ): Promise<void> {
    checkForLanes(destination);
    const { byteLength } = destination;
    await nativeAsync(() => {
      const stream = content instanceof binding.NativeStream ? content : new binding.NativeStream(content, 0n);
      return this.inner.fill(lanes ?? this.lanes(), stream, generation, offset, destination);
    });
    checkKept(destination, byteLength);
  }

  /**
   * Lets lanes generate into, and then verify, their own buffers, each for `seconds`: every lane a cache-sized one, or so
   * many lanes blocks of so many bytes.
   * @throws SeedstormError INVALID_ARGUMENT, ENGINE_CLOSED, SELF_CHECK_FAILED.
   */
  bench(
    content: ContentParameters,
    seconds: number,
    { blockBytes, lanes }: { blockBytes?: number; lanes?: number } = {},
  ): Promise<LaneBench[]> {
    return nativeAsync(() => this.inner.bench(content, seconds, blockBytes, lanes));
  }

  /** What was asked for and not got (such as memory on a node), and what changed since; each thing once. */
  get notes(): string[] {
    return native(() => this.inner.notes());
  }

  /** Where every lane and the pages of its buffer really are. */
  explain(): Promise<LaneExplanation[]> {
    return nativeAsync(() => this.inner.explain());
  }

  /** Aborts the work at hand and joins every thread. May be called again. */
  close(): Promise<void> {
    return nativeAsync(() => this.inner.close());
  }
}
