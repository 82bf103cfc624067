/**
 * A network stage on this agent: the engine's traffic, and whom it goes to. It writes nothing, so no lease holds it back: it
 * ends by itself when its time is over. It must not know how messages travel.
 */
import { type Engine, Network, type NetworkSnapshot } from '@seedstorm/native';
import {
  type ConnectPeers,
  classCounters,
  type PrepareNetwork,
  poolCounters,
  Report,
  type StartStage,
  toErrorDetail,
} from '@seedstorm/proto';
import type { ToCoordinator } from './connection.js';
import type { ReportFrame } from './report.js';
import { type StageHost, StagePart } from './stage-part.js';

const reportMs = 1000;

/** Where this agent is in the network. */
export interface Whereabouts {
  /** The coordinator as this agent knows it, as host:port. */
  readonly coordinator: string;
  /** The address to listen on; without it the one by which the coordinator is reached. */
  readonly listenAddress: string | undefined;
}

/** A network stage on this agent. */
export class NetworkWork extends StagePart<Network, NetworkSnapshot> {
  #connecting = false;
  #connected: ToCoordinator | undefined;
  #latest: NetworkSnapshot | undefined;

  constructor(
    readonly message: PrepareNetwork,
    host: StageHost,
    private readonly whereabouts: Whereabouts,
  ) {
    super(message.stage, host, reportMs);
  }

  /** Listens and says where, or why not. */
  prepare(engine: Promise<Engine>): Promise<void> {
    return this.getReady(async (answer) => {
      const { blockBytes, streams, lanes, durationNs, token } = this.message;
      const { coordinator, listenAddress } = this.whereabouts;
      const running = await engine;
      const network = await Network.listen(running, {
        blockBytes: Number(blockBytes),
        streams,
        ...(lanes === 0 ? {} : { lanes }),
        durationNs: Number(durationNs),
        token,
        ...(listenAddress === undefined ? { wayTo: coordinator } : { listenAddress }),
      });
      answer.lanes = running.placement.reduce((sum, pool) => sum + pool.lanes.length, 0);
      answer.dataAddress = network.address;
      return network;
    });
  }

  /** Connects to those that it is to send to, and says who could not be reached. */
  async connect({ stage, own, peers }: ConnectPeers): Promise<void> {
    if (this.#connected !== undefined) this.host.say(this.#connected);
    if (this.#connecting || this.work === undefined) return;
    this.#connecting = true;
    const answer = { stage, error: undefined, unreached: [] };
    try {
      const targets = peers.map(({ number, address }) => ({ peer: number, address: this.#addressOf(address) }));
      const unreached = await this.work.connect(own, targets);
      const value = { ...answer, unreached: unreached.map(({ peer, why }) => ({ number: peer, why })) };
      this.#connected = { $case: 'peersConnected', value };
    } catch (error) {
      this.#connected = { $case: 'peersConnected', value: { ...answer, error: toErrorDetail(error) } };
    }
    this.say(this.#connected);
  }

  /** The coordinator's host may be known by another address here than there. */
  #addressOf(address: string): string {
    const { coordinator } = this.whereabouts;
    return address.startsWith(':') ? coordinator.slice(0, coordinator.lastIndexOf(':')) + address : address;
  }

  protected override said(): readonly ToCoordinator[] {
    return this.#connected === undefined ? [] : [this.#connected];
  }

  /** All begin at this instant of this agent's clock. */
  start({ atAgentNs }: StartStage): void {
    this.begins();
    this.work?.beginAt(atAgentNs);
  }

  /** A report was taken, and those before it. */
  acknowledged(sequence: bigint): void {
    this.unacknowledged.acknowledged(sequence);
  }

  protected override reportIsDue(): boolean {
    return true;
  }

  protected override reportOf({ notes }: Network, snapshot: NetworkSnapshot, frame: ReportFrame): Report {
    this.#latest = snapshot;
    const { takenNs: agentNs, startedNs, lastDoneNs, pools } = snapshot;
    const counted = { agentNs, startedNs, lastDoneNs, pools: pools.map(poolCounters), classes: classCounters(pools) };
    return { ...Report.fromPartial({}), ...frame, ...counted, notes };
  }

  protected override parting() {
    const { peers = [], strangers = 0 } = this.#latest ?? {};
    return {
      peers: peers.map(({ peer, sentBytes, receivedBytes, broken, why = '' }) => ({
        number: peer,
        sentBytes: BigInt(sentBytes),
        receivedBytes: BigInt(receivedBytes),
        broken: BigInt(broken),
        why,
      })),
      strangers: BigInt(strangers),
    };
  }
}
