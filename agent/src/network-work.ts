/**
 * A network stage on this agent: the engine's traffic, whom it goes to, and the reports about it. It writes nothing, so no
 * lease holds it back: it ends by itself when its time is over. It must not know how messages travel.
 */
import { asSeedstormError } from '@seedstorm/errors';
import { type Engine, monotonicNs, Network, type NetworkSnapshot } from '@seedstorm/native';
import {
  type ConnectPeers,
  classCounters,
  type EndStage,
  type ErrorDetail,
  type PrepareNetwork,
  poolCounters,
  type StageEnded,
  type StartStage,
  toErrorDetail,
} from '@seedstorm/proto';
import type { ToCoordinator } from './connection.js';
import { Ports } from './ports.js';
import { ProcessCpu } from './process-cpu.js';
import type { StageHost } from './stage-work.js';
import { Unacknowledged } from './unacknowledged.js';

const reportMs = 1000;
/** A network stage has no data whose making could be measured, and that could be cached. */
const unmeasured = { generator: undefined, memoryBytes: 0n };

/** Where this agent is in the network. */
export interface Whereabouts {
  /** The coordinator as this agent knows it, as host:port. */
  readonly coordinator: string;
  /** The address to listen on; without it the one by which the coordinator is reached. */
  readonly listenAddress: string | undefined;
}

/** A network stage on this agent. */
export class NetworkWork {
  readonly #unacknowledged = new Unacknowledged();
  readonly #cpu = new ProcessCpu();
  #network: Network | undefined;
  #ports: Ports | undefined;
  #preparing: Promise<void> | undefined;
  #prepared: ToCoordinator | undefined;
  #connecting = false;
  #connected: ToCoordinator | undefined;
  #ending: EndStage | undefined;
  #ended: ToCoordinator | undefined;
  #timer: NodeJS.Timeout | undefined;
  #reporting: Promise<void> | undefined;
  #latest: NetworkSnapshot | undefined;
  #abandoned = false;

  constructor(
    readonly message: PrepareNetwork,
    private readonly host: StageHost,
    private readonly whereabouts: Whereabouts,
  ) {}

  /** Listens and says where, or why not. */
  prepare(engine: Promise<Engine>): Promise<void> {
    this.#preparing = this.#prepare(engine);
    return this.#preparing;
  }

  async #prepare(engine: Promise<Engine>): Promise<void> {
    const { stage, blockBytes, streams, lanes, durationNs, token } = this.message;
    const answer = { stage, error: undefined, notes: [] as string[], lanes: 0, dataAddress: '', ...unmeasured };
    const { coordinator, listenAddress } = this.whereabouts;
    try {
      const running = await engine;
      const network = await Network.listen(running, {
        blockBytes: Number(blockBytes),
        streams,
        ...(lanes === 0 ? {} : { lanes }),
        durationNs: Number(durationNs),
        token,
        ...(listenAddress === undefined ? { wayTo: coordinator } : { listenAddress }),
      });
      this.#network = network;
      this.#ports = await Ports.open(this.host.overLoopback);
      if (this.#abandoned) return;
      // Traffic that ends by itself has run its time; or it failed, which is said at once.
      network.ended().catch((error: unknown) => this.#endEarly(error));
      answer.notes = network.notes;
      answer.lanes = running.placement.reduce((sum, pool) => sum + pool.lanes.length, 0);
      answer.dataAddress = network.address;
      this.#timer = setInterval(() => this.#look(network), reportMs);
      this.#prepared = { $case: 'stagePrepared', value: answer };
    } catch (error) {
      this.#prepared = { $case: 'stagePrepared', value: { ...answer, error: toErrorDetail(error) } };
    }
    if (this.#abandoned) return;
    this.host.say(this.#prepared);
    if (this.#ending !== undefined) await this.#finish(this.#ending);
  }

  /** Connects to those that it is to send to, and says who could not be reached. */
  async connect({ stage, own, peers }: ConnectPeers): Promise<void> {
    if (this.#connected !== undefined) this.host.say(this.#connected);
    if (this.#connecting || this.#network === undefined) return;
    this.#connecting = true;
    const answer = { stage, error: undefined, unreached: [] };
    try {
      const targets = peers.map(({ number, address }) => ({ peer: number, address: this.#addressOf(address) }));
      const unreached = await this.#network.connect(own, targets);
      const value = { ...answer, unreached: unreached.map(({ peer, why }) => ({ number: peer, why })) };
      this.#connected = { $case: 'peersConnected', value };
    } catch (error) {
      this.#connected = { $case: 'peersConnected', value: { ...answer, error: toErrorDetail(error) } };
    }
    if (!this.#abandoned) this.host.say(this.#connected);
  }

  /** The coordinator's host may be known by another address here than there. */
  #addressOf(address: string): string {
    const { coordinator } = this.whereabouts;
    return address.startsWith(':') ? coordinator.slice(0, coordinator.lastIndexOf(':')) + address : address;
  }

  /** The coordinator may have missed what was said: says it again. */
  repeat(): void {
    for (const said of [this.#prepared, this.#connected]) if (said !== undefined) this.host.say(said);
    for (const report of this.#unacknowledged.all) this.host.say({ $case: 'report', value: report });
    if (this.#ended !== undefined) this.host.say(this.#ended);
  }

  /** All begin at this instant of this agent's clock. */
  start({ atAgentNs }: StartStage): void {
    this.#cpu.begin();
    this.#network?.beginAt(atAgentNs);
  }

  /** A report was taken, and those before it. */
  acknowledged(sequence: bigint): void {
    this.#unacknowledged.acknowledged(sequence);
  }

  /** The time is over, or the stage was stopped: waits for what is on its way, reports once more, says that it has ended. */
  async end(message: EndStage): Promise<void> {
    if (this.#ended !== undefined) {
      this.repeat();
      return;
    }
    const first = this.#ending === undefined;
    this.#ending = message;
    if (message.cancel) this.#network?.cancel();
    if (first && this.#prepared !== undefined) await this.#finish(message);
  }

  /** Stops whatever is left of it; for when the agent goes without the coordinator. */
  async abandon(): Promise<void> {
    this.#abandoned = true;
    this.#network?.cancel();
    await this.#preparing?.catch(() => {});
    clearInterval(this.#timer);
    this.#network?.cancel();
    await this.#network?.ended().catch(() => {});
  }

  /** Ends without being told to, and says why. */
  #endEarly(why: unknown): void {
    if (this.#ending !== undefined || this.#abandoned) return;
    this.#ending = { stage: this.message.stage, cancel: true, removeRunFolder: false };
    void this.#finish(this.#ending, toErrorDetail(why));
  }

  async #finish(message: EndStage, why?: ErrorDetail): Promise<void> {
    const network = this.#network;
    const began = monotonicNs();
    let error = why;
    try {
      if (message.cancel) network?.cancel();
      await network?.ended();
    } catch (thrown) {
      const known = asSeedstormError(thrown);
      if (known.code !== 'SEEDSTORM_E_CANCELLED') error ??= toErrorDetail(known);
    }
    const closeNs = monotonicNs() - began;
    clearInterval(this.#timer);
    try {
      await this.#reporting;
      if (network !== undefined && !this.#abandoned) await this.#report(network);
    } catch (thrown) {
      error ??= toErrorDetail(thrown);
    }
    if (this.#abandoned) return;
    const { peers = [], strangers = 0 } = this.#latest ?? {};
    const value: StageEnded = {
      stage: message.stage,
      error,
      closeNs,
      runFolderRemoved: true,
      fileWork: undefined,
      peers: peers.map(({ peer, sentBytes, receivedBytes, broken, why: reason = '' }) => ({
        number: peer,
        sentBytes: BigInt(sentBytes),
        receivedBytes: BigInt(receivedBytes),
        broken: BigInt(broken),
        why: reason,
      })),
      strangers: BigInt(strangers),
    };
    this.#ended = { $case: 'stageEnded', value };
    this.host.say(this.#ended);
  }

  #look(network: Network): void {
    if (this.#reporting !== undefined || this.#unacknowledged.isFull || this.#ending !== undefined) return;
    this.#reporting = this.#report(network)
      .catch((error: unknown) => this.#endEarly(error))
      .finally(() => {
        this.#reporting = undefined;
      });
  }

  async #report(network: Network): Promise<void> {
    const snapshot = await network.snapshot();
    const hostNetwork = await this.#ports?.since(this.#ending !== undefined);
    if (this.#abandoned) return;
    this.#latest = snapshot;
    const cpu = this.#cpu.used();
    const report = {
      stage: this.message.stage,
      sequence: this.#unacknowledged.nextSequence(),
      agentNs: snapshot.takenNs,
      startedNs: snapshot.startedNs,
      lastDoneNs: snapshot.lastDoneNs,
      pools: snapshot.pools.map(poolCounters),
      classes: classCounters(snapshot.pools),
      lastPacedNs: 0n,
      lateNs: 0n,
      firstDoneNs: 0n,
      seconds: [],
      processCpuUserNs: cpu.userNs,
      processCpuSystemNs: cpu.systemNs,
      leases: [],
      findings: [],
      findingCounts: [],
      notes: network.notes,
      ioEngine: '',
      hostNetwork,
      errors: [],
      evidenceSkipped: 0n,
      cellsInDoubt: 0n,
      store: undefined,
    };
    this.#unacknowledged.keep(report);
    this.host.say({ $case: 'report', value: report });
  }
}
