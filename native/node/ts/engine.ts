/** A set of running lanes: started once, parked between jobs, joined by `close`. */
import { SeedstormError } from '@seedstorm/errors';
import type { ContentParameters, JsLaneBench, NativeEngine } from '../binding.js';
import { binding } from './binding.js';
import { native, nativeAsync } from './errors.js';
import type { PlacementOptions, PoolPlacement, TopologySource } from './topology.js';

/** What an engine is made of. */
export interface EngineOptions {
  readonly placement?: PlacementOptions;
  /** Bytes of each lane's buffer at the start; default 1 MiB, which fits the L2 of today's cores. */
  readonly bufferBytes?: number;
  /** Another machine's topology; only with `pin: false`, for tests. */
  readonly topology?: TopologySource;
  /** Whether lanes are pinned to their PUs; default true. */
  readonly pin?: boolean;
}

/** What one lane did in a bench. */
export type LaneBench = JsLaneBench;

const usualBufferBytes = 1024 ** 2;

/** A set of running lanes. Close it when done: its threads live until then. */
export class Engine {
  private constructor(
    /** The addon's engine; for this package only. */
    readonly inner: NativeEngine,
  ) {}

  /**
   * Starts the lanes; resolves when each is pinned and has touched its buffer.
   * @throws SeedstormError NO_CORES, LANE_START, OUT_OF_MEMORY, INVALID_ARGUMENT, TOPOLOGY_UNREADABLE.
   */
  static async start(options: EngineOptions = {}): Promise<Engine> {
    const { placement = {}, bufferBytes = usualBufferBytes, topology = {}, pin = true } = options;
    return new Engine(await nativeAsync(() => binding.startEngine({ topology, placement, bufferBytes, pin })));
  }

  /** The pools and lanes. */
  get placement(): PoolPlacement[] {
    return native(() => this.inner.placement());
  }

  /**
   * Fills `destination` with the stream's bytes from `offset` on, straight into it, by all lanes. Until the promise
   * settles the memory is the lanes': it must not be read, written or transferred, nor be WebAssembly memory that grows.
   * A transfer is found at the end and rejects; it is too late by then if the memory was given up.
   * @throws SeedstormError ENGINE_CLOSED, INVALID_ARGUMENT, LANE_PANICKED, QUEUE_FULL.
   */
  async fill(content: ContentParameters, generation: number, offset: bigint, destination: Uint8Array): Promise<void> {
    const { byteLength } = destination;
    // Shrinking takes pages away under the lanes.
    if (ArrayBuffer.isView(destination) && 'resizable' in destination.buffer && destination.buffer.resizable) {
      throw new SeedstormError({
        code: 'SEEDSTORM_E_INVALID_ARGUMENT',
        what: 'the buffer to fill is a view of a resizable ArrayBuffer',
        mend: 'give a view of an ArrayBuffer of fixed length',
      });
    }
    await nativeAsync(() => this.inner.fill(content, generation, offset, destination));
    if (destination.byteLength !== byteLength) {
      throw new SeedstormError({
        code: 'SEEDSTORM_E_INVALID_ARGUMENT',
        what: 'the buffer was transferred to another owner while it was being filled',
        mend: 'transfer a buffer only after its fill has settled',
      });
    }
  }

  /** Lets every lane generate into, and then verify, its own cache-sized buffer, each for `seconds`. */
  bench(content: ContentParameters, seconds: number): Promise<LaneBench[]> {
    return nativeAsync(() => this.inner.bench(content, seconds));
  }

  /** Aborts the work at hand and joins every thread. May be called again. */
  close(): Promise<void> {
    return nativeAsync(() => this.inner.close());
  }
}
