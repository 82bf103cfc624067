/** Traffic between the lanes of several engines over plain TCP: what the network alone carries. */
import type { JsNetworkSnapshot, JsNetworkSpec, JsTarget, JsUnreached, NativeNetwork } from '../binding.js';
import { binding } from './binding.js';
import type { Engine } from './engine.js';
import { native, nativeAsync } from './errors.js';

/** What lanes send, for how long, and where peers find them. */
export type NetworkSpec = JsNetworkSpec;
/** Counters are cumulative, histograms are what came since the snapshot before. */
export type NetworkSnapshot = JsNetworkSnapshot;
/** Somebody to send to. */
export type NetworkTarget = JsTarget;
/** A peer that could not be reached. */
export type Unreached = JsUnreached;

/** Traffic of one engine. */
export class Network {
  /** The snapshot that was asked for last. */
  #before: Promise<unknown> = Promise.resolve();

  private constructor(private readonly inner: NativeNetwork) {}

  /**
   * Listens for peers; lanes wait for `beginAt`.
   * @throws SeedstormError NETWORK, INVALID_ARGUMENT, ENGINE_CLOSED, OUT_OF_MEMORY, NUMA_MEMORY, HUGE_PAGES.
   */
  static async listen(engine: Engine, spec: NetworkSpec): Promise<Network> {
    return new Network(await nativeAsync(() => binding.listenNetwork(engine.inner, spec)));
  }

  /** Where peers reach it, as host:port. */
  get address(): string {
    return native(() => this.inner.address());
  }

  /** Connects, as peer number `own`, to those that it is to send to; tells who could not be reached in some seconds. */
  connect(own: number, targets: NetworkTarget[]): Promise<Unreached[]> {
    return nativeAsync(() => this.inner.connect(own, targets));
  }

  /** Resolves when the time was over and what was on its way had arrived; rejects when it was ended early. */
  ended(): Promise<void> {
    return nativeAsync(() => this.inner.ended());
  }

  /** What the engine has to say, for people. */
  get notes(): string[] {
    return native(() => this.inner.notes());
  }

  /** Lets the lanes begin at this instant of the monotonic clock. */
  beginAt(ns: bigint): void {
    native(() => this.inner.beginAt(ns));
  }

  /** What was sent and received so far. Each has what is new since the one before: none may be thrown away. */
  snapshot(): Promise<NetworkSnapshot> {
    const taken = this.#before.then(() => nativeAsync(() => this.inner.snapshot()));
    this.#before = taken.catch(() => {});
    return taken;
  }

  /** Lanes leave at once. */
  cancel(): void {
    native(() => this.inner.cancel());
  }
}
