/**
 * The coordinator's own host in a network stage of the pattern `coordinator`: native lanes that receive and send as an
 * agent's do, so that the event loop touches none of the bytes. One core is left to the coordinator where there are more.
 */
import { lookup } from 'node:dns/promises';
import { availableParallelism } from 'node:os';
import { SeedstormError } from '@seedstorm/errors';
import {
  Engine,
  Network,
  type NetworkSnapshot,
  type NetworkSpec,
  type NetworkTarget,
  type Unreached,
} from '@seedstorm/native';
import { type PoolCounters, poolCounters } from '@seedstorm/proto';
import { type ClassCounts, ClassTimes } from './class-totals.js';
import { LatencyTotals } from './latency-totals.js';

/** What lanes of the coordinator's host did. */
export class NetworkHost {
  readonly #latency: LatencyTotals[] = [];
  /** Times by class of operations. */
  readonly classTimes = new ClassTimes();
  #latest: NetworkSnapshot | undefined;

  private constructor(
    private readonly engine: Engine,
    private readonly network: Network,
  ) {}

  /**
   * Starts lanes and listens on the address that the coordinator listens on.
   * @throws SeedstormError NETWORK, INVALID_ARGUMENT, and those of starting lanes.
   */
  static async listen(host: string, spec: Omit<NetworkSpec, 'listenAddress' | 'wayTo'>): Promise<NetworkHost> {
    const listenAddress = await addressOf(host);
    const reserveCores = availableParallelism() > 1 ? 1 : 0;
    const engine = await Engine.start({ placement: { reserveCores } });
    try {
      return new NetworkHost(engine, await Network.listen(engine, { ...spec, listenAddress }));
    } catch (error) {
      await engine.close();
      throw error;
    }
  }

  /** The port that it listens on. */
  get port(): string {
    const { address } = this.network;
    return address.slice(address.lastIndexOf(':') + 1);
  }

  /** Connects to agents; tells which could not be reached. */
  connect(own: number, targets: NetworkTarget[]): Promise<Unreached[]> {
    return this.network.connect(own, targets);
  }

  /** Lets the lanes begin at this instant of the coordinator's clock. */
  beginAt(ns: bigint): void {
    this.network.beginAt(ns);
  }

  /** Looks what was done so far. */
  async look(): Promise<void> {
    const snapshot = await this.network.snapshot();
    for (const [pool, { classes }] of snapshot.pools.entries()) {
      this.#latency[pool] ??= new LatencyTotals();
      for (const { operation, size, part, service: given } of classes) {
        const service = { buckets: [...given.buckets], counts: [...given.counts], maxNs: given.maxNs };
        if (!part) this.#latency[pool].add(service);
        this.classTimes.add({ pool, operation, size, part, service });
      }
    }
    this.#latest = snapshot;
  }

  /** Waits until what was on its way has arrived, or not when it is to stop at once; then ends the lanes. */
  async end(atOnce: boolean): Promise<void> {
    if (atOnce) this.network.cancel();
    await this.network.ended().catch(() => {});
    await this.look();
    await this.engine.close();
  }

  /** A row a pool. */
  get pools(): { counters: PoolCounters; latency: LatencyTotals }[] {
    return (this.#latest?.pools ?? []).map((pool, i) => ({
      counters: poolCounters(pool),
      latency: this.#latency[i] ?? new LatencyTotals(),
    }));
  }

  /** Counters by class of operations, pool by pool. */
  get classes(): ClassCounts[] {
    return (this.#latest?.pools ?? []).flatMap(({ classes }) => classes);
  }

  /** What was exchanged with each agent. */
  get peers(): NetworkSnapshot['peers'] {
    return this.#latest?.peers ?? [];
  }

  /** Connections that did not know the token. */
  get strangers(): number {
    return this.#latest?.strangers ?? 0;
  }

  /** When the last bytes came or went, on the coordinator's clock; 0: none yet. */
  get lastDoneNs(): bigint {
    return this.#latest?.lastDoneNs ?? 0n;
  }
}

/** The address of a host name; brackets around an IPv6 address are the writer's. */
async function addressOf(host: string): Promise<string> {
  try {
    return (await lookup(host.replace(/^\[|\]$/gu, ''))).address;
  } catch (cause) {
    throw new SeedstormError({
      code: 'SEEDSTORM_E_NETWORK',
      what: `the coordinator's host does not know ${host}`,
      cause,
    });
  }
}
