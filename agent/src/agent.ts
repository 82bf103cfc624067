/**
 * An agent: joins a coordinator, lives by heartbeats, and does the stages that it is told to. It stops issuing I/O by
 * its own clock when its heartbeats are no longer acknowledged: before the coordinator hands its leases over.
 */
import { freemem } from 'node:os';
import type { SeedstormError } from '@seedstorm/errors';
import { Engine, type EngineOptions, MemoryStore, monotonicNs, place } from '@seedstorm/native';
import {
  type CheckTarget,
  fromErrorDetail,
  type HostShare,
  isLoopback,
  type LockTarget,
  type PrepareNetwork,
  type PrepareStage,
  StageEnded,
  type TargetLocked,
  toErrorDetail,
} from '@seedstorm/proto';
import { Connection, type ConnectionListener, type FromCoordinator, type ToCoordinator } from './connection.js';
import { EvidenceKeeper } from './evidence.js';
import { GeneratorMeter } from './generator-meter.js';
import { introduce } from './identity.js';
import { NetworkWork } from './network-work.js';
import type { StageHost } from './stage-part.js';
import { StageWork } from './stage-work.js';
import { checkTarget } from './target-check.js';
import { HeldTarget, lockable } from './target-lock.js';
import { probeTarget } from './target-proof.js';

/** What an agent is started with. */
export interface AgentOptions {
  /** The coordinator, as host:port. */
  readonly coordinator: string;
  readonly token: string;
  /** Unique in the cluster; made from host and process id when absent. */
  readonly name?: string;
  readonly version: string;
  /** How long to wait for a coordinator to answer, in ms. */
  readonly joinTimeoutMs: number;
  /** Where its lanes and their memory go; the share of the host's cores is the coordinator's to say. */
  readonly engine?: EngineOptions;
  /** Where the bytes of faults are kept; absent: nowhere. */
  readonly evidence?: { readonly folder: string; readonly chosen: boolean };
  /** The address on which other agents reach it in network stages; without it the one by which it reaches the coordinator. */
  readonly listenAddress?: string;
  /** Where lines for people go. */
  readonly log: (line: string) => void;
}

/** What the coordinator says of a stage. */
type ToStage = Extract<FromCoordinator, { value: { stage: number } }>;

/** How long a coordinator may take to let a leaving agent go. */
const leaveTimeoutMs = 8000;

/** How long an agent that goes may take to let go of its target. */
const letGoTimeoutMs = 3000;

/** A running agent. */
export class Agent implements ConnectionListener {
  readonly #hello;
  readonly #connection: Connection;
  readonly #ended: Promise<void>;
  #resolveEnded: () => void = () => {};
  #rejectEnded: (error: unknown) => void = () => {};
  #heartbeat: NodeJS.Timeout | undefined;
  /** When the last acknowledged heartbeat was sent. */
  #renewedNs = 0n;
  #work: StageWork | NetworkWork | undefined;
  #engine: { share: string; engine: Promise<Engine> } | undefined;
  readonly #evidence: EvidenceKeeper | undefined;
  readonly #generator = new GeneratorMeter();
  /** What the memory sink keeps, for the run that it belongs to. */
  #memory: { runId: string; store: MemoryStore } | undefined;
  /** The target that is held for a run. */
  #held: HeldTarget | undefined;
  #locking: Promise<void> = Promise.resolve();
  #leaving = false;
  #orphaned = false;
  #closed = false;

  constructor(private readonly options: AgentOptions) {
    this.#hello = introduce(options.name, options.version);
    this.#evidence =
      options.evidence === undefined
        ? undefined
        : new EvidenceKeeper(options.evidence, this.#hello.name, this.#hello.host);
    this.#ended = new Promise((resolve, reject) => {
      this.#resolveEnded = resolve;
      this.#rejectEnded = reject;
    });
    const { coordinator: address, token, joinTimeoutMs } = options;
    this.#connection = new Connection({ address, token, joinTimeoutMs, hello: this.#hello }, this);
  }

  /** The name that the coordinator knows it by. */
  get name(): string {
    return this.#hello.name;
  }

  /**
   * Joins, and serves until it is dismissed or told to leave.
   * @throws SeedstormError COORDINATOR_UNREACHABLE, UNAUTHENTICATED, PROTOCOL_VERSION, AGENT_REFUSED; NO_CORES and
   * INVALID_ARGUMENT when its lanes cannot be placed on this machine as asked.
   */
  async serve(): Promise<void> {
    // Told to whoever starts it, and not only when a run's first stage is prepared.
    this.#laneCount();
    this.#connection.open();
    try {
      await this.#ended;
    } finally {
      await this.#close();
    }
  }

  /** Leaves gracefully: gives back what it has not done, and goes when the coordinator lets it. */
  leave(reason: string): void {
    if (this.#leaving) return;
    this.#leaving = true;
    this.options.log(`leaving: ${reason}`);
    const told = this.#connection.send({ $case: 'leaving', value: { reason } });
    if (told) setTimeout(() => this.#resolveEnded(), leaveTimeoutMs).unref();
    else this.#resolveEnded();
  }

  /**
   * Whoever started this agent is gone. A coordinator that is there clears up first and dismisses it, within `graceMs`;
   * without one it goes at once.
   */
  orphaned(graceMs: number): void {
    this.#orphaned = true;
    const reason = 'the process that started it is gone';
    if (this.#connection.greeted) setTimeout(() => this.leave(reason), graceMs).unref();
    else this.leave(reason);
  }

  welcomed(heartbeatMs: number): void {
    this.options.log(`joined the coordinator at ${this.options.coordinator} as ${this.name}`);
    clearInterval(this.#heartbeat);
    this.#heartbeat = setInterval(() => this.#beat(), heartbeatMs);
    this.#beat();
    this.#work?.repeat();
  }

  broken(why: SeedstormError): void {
    clearInterval(this.#heartbeat);
    if (this.#leaving || this.#orphaned) this.#resolveEnded();
    else this.options.log(`${why.what}; trying again`);
  }

  failed(why: SeedstormError): void {
    if (this.#leaving) this.#resolveEnded();
    else this.#rejectEnded(why);
  }

  said(message: Exclude<FromCoordinator, { $case: 'welcome' }>): void {
    try {
      this.#handle(message);
    } catch (error) {
      this.#rejectEnded(error);
    }
  }

  #handle(message: Exclude<FromCoordinator, { $case: 'welcome' }>): void {
    switch (message.$case) {
      case 'heartbeatAck':
        this.#renewedNs = message.value.sentNs;
        this.#renew();
        return;
      case 'clockProbe':
        this.#say({ $case: 'clockEcho', value: { id: message.value.id, agentNs: monotonicNs() } });
        return;
      case 'checkTarget':
        checkTarget(message.value, this.#laneCount(message.value)).then(
          (value) => this.#say({ $case: 'targetChecked', value }),
          this.#rejectEnded,
        );
        return;
      case 'probeTarget':
        probeTarget(message.value).then((value) => this.#say({ $case: 'targetProbed', value }), this.#rejectEnded);
        return;
      case 'lockTarget':
        this.#lock(message.value).then((value) => this.#say({ $case: 'targetLocked', value }), this.#rejectEnded);
        return;
      case 'prepareStage':
        this.#prepare(message.value);
        return;
      case 'prepareNetwork':
        this.#prepareNetwork(message.value);
        return;
      case 'dismiss':
        if (message.value.reason === undefined) this.#resolveEnded();
        else this.#rejectEnded(fromErrorDetail(message.value.reason));
        return;
      default:
        if (this.#work !== undefined && this.#work.message.stage === message.value.stage) {
          this.#stage(this.#work, message);
        } else if (message.$case === 'rereadPlace') {
          const { stage, id } = message.value;
          const reading = {
            agent: '',
            host: '',
            direct: false,
            saw: 'failed',
            detail: 'the stage is over',
            unixMs: 0n,
          };
          this.#say({ $case: 'placeReread', value: { stage, id, reading } });
        } else if (message.$case === 'endStage') {
          // PrepareStage was lost on a stream that broke: there is nothing to end, which is an answer too.
          const value = StageEnded.fromPartial({ stage: message.value.stage, runFolderRemoved: true });
          this.#say({ $case: 'stageEnded', value });
        }
    }
  }

  #stage(work: StageWork | NetworkWork, message: Exclude<ToStage, { $case: 'prepareStage' | 'prepareNetwork' }>): void {
    switch (message.$case) {
      case 'startStage':
        work.start(message.value);
        return;
      case 'reportAck':
        work.acknowledged(message.value.sequence);
        return;
      case 'endStage':
        work.end(message.value).catch(this.#rejectEnded);
        return;
      case 'connectPeers':
        if (work instanceof NetworkWork) work.connect(message.value).catch(this.#rejectEnded);
        return;
      default:
        if (work instanceof StageWork) this.#data(work, message);
    }
  }

  #data(
    work: StageWork,
    message: Extract<
      ToStage,
      {
        $case:
          | 'grantLease'
          | 'fenceLease'
          | 'syncStage'
          | 'moveStageEnd'
          | 'rereadPlace'
          | 'findingKnown'
          | 'shareRate';
      }
    >,
  ): void {
    switch (message.$case) {
      case 'grantLease':
        work.grant(message.value);
        return;
      case 'fenceLease':
        work.fence(message.value.leaseId);
        return;
      case 'syncStage':
        work.sync();
        return;
      case 'shareRate':
        if (message.value.share !== undefined) work.shareRate(message.value.share);
        return;
      case 'moveStageEnd':
        work.moveEnd(message.value.overAtAgentNs);
        return;
      case 'rereadPlace':
        work.reread(message.value);
        return;
      case 'findingKnown':
        work.known(message.value.finding);
        return;
    }
  }

  /** Holds a target for a run, or lets go of it. One answer after the other, as they were asked for. */
  #lock({ id, target, hold }: LockTarget): Promise<TargetLocked> {
    const answer: TargetLocked = { id, error: undefined, notes: [] };
    const run = lockable(target)?.run;
    const asked = this.#locking.then(async () => {
      if (this.#held?.run === run && hold) return answer;
      await this.#held?.release('run');
      this.#held = undefined;
      if (!hold || target === undefined || run === undefined) return answer;
      try {
        const { held, notes } = await HeldTarget.take(target, this.name);
        this.#held = held;
        answer.notes = notes;
      } catch (error) {
        answer.error = toErrorDetail(error);
      }
      return answer;
    });
    this.#locking = asked.then(() => {});
    return asked;
  }

  #prepare(message: PrepareStage): void {
    if (this.#isKnown(message)) return;
    if (this.#memory?.runId !== message.runId) this.#memory = undefined;
    const work = new StageWork(message, this.#host());
    this.#begin(work, () => work.prepare(this.#engineFor(message.share), () => this.#memoryFor(message)));
  }

  #prepareNetwork(message: PrepareNetwork): void {
    if (this.#isKnown(message)) return;
    const { coordinator, listenAddress } = this.options;
    const work = new NetworkWork(message, this.#host(), { coordinator, listenAddress });
    this.#begin(work, () => work.prepare(this.#engineFor(message.share)));
  }

  /** Whether it is the stage at hand, told again after a break: then what was said of it is said again. */
  #isKnown({ runId, stage }: PrepareStage | PrepareNetwork): boolean {
    const current = this.#work?.message;
    if (current?.runId !== runId || current.stage !== stage) return false;
    this.#work?.repeat();
    return true;
  }

  #begin(work: StageWork | NetworkWork, prepare: () => Promise<void>): void {
    const before = this.#work;
    this.#work = work;
    this.#renew();
    (async () => {
      await before?.abandon();
      await prepare();
    })().catch(this.#rejectEnded);
  }

  #host(): StageHost {
    return {
      name: this.name,
      generator: this.#generator,
      overLoopback: isLoopback(this.options.coordinator),
      say: (said) => this.#say(said),
      ...(this.#evidence === undefined ? {} : { evidence: this.#evidence }),
    };
  }

  /** The engine with this share of the host's cores; the one before is closed when the share has changed. */
  #engineFor(share: HostShare | undefined): Promise<Engine> {
    const { index, of } = share ?? { index: 0, of: 1 };
    const key = `${index}/${of}`;
    const before = this.#engine;
    if (before?.share === key) return before.engine;
    const engine = (async () => {
      await before?.engine.then((old) => old.close()).catch(() => {});
      const { placement, ...options } = this.options.engine ?? {};
      return Engine.start({ ...options, placement: { ...placement, shareIndex: index, shareOf: of } });
    })();
    this.#engine = { share: key, engine };
    // Whoever awaits it sees the error; the next stage tries again.
    engine.catch(() => {
      if (this.#engine?.engine === engine) this.#engine = undefined;
    });
    return engine;
  }

  /** The store of a run with a memory target; that of an earlier run is dropped. */
  #memoryFor({ runId, target, content, units }: PrepareStage): MemoryStore | undefined {
    if (target?.kind?.$case !== 'memory' || content === undefined) return undefined;
    if (this.#memory?.runId !== runId) {
      const limit = Number(target.kind.value.limitBytes) || freemem();
      this.#memory = { runId, store: MemoryStore.create(Number(content.unitBytes), Number(units), limit) };
    }
    return this.#memory.store;
  }

  #beat(): void {
    this.#say({ $case: 'heartbeat', value: { sentNs: monotonicNs() } });
  }

  /** Leases run from when the acknowledged heartbeat was sent: the coordinator counts from later. */
  #renew(): void {
    const work = this.#work;
    if (!(work instanceof StageWork) || this.#renewedNs === 0n) return;
    work.setDeadline(this.#renewedNs + BigInt(work.message.leaseMs) * 1_000_000n);
  }

  #say(message: ToCoordinator): void {
    this.#connection.send(message);
  }

  /** Lanes that a stage would have here, with this share of the host's cores and at most so many; 0: all. */
  #laneCount({ share, lanes }: Partial<Pick<CheckTarget, 'share' | 'lanes'>> = {}): number {
    const { index, of } = share ?? { index: 0, of: 1 };
    const { pools } = place({}, { ...this.options.engine?.placement, shareIndex: index, shareOf: of });
    const placed = pools.reduce((sum, pool) => sum + pool.lanes.length, 0);
    return lanes === undefined || lanes === 0 ? placed : Math.min(lanes, placed);
  }

  async #close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#heartbeat);
    this.#connection.close();
    await this.#work?.abandon();
    await this.#evidence?.written();
    // Storage that hangs must not keep the agent from going: its lock is then cleared away by whoever comes next.
    const patience = new Promise<void>((resolve) => setTimeout(resolve, letGoTimeoutMs).unref());
    await Promise.race([this.#held?.release('agent'), patience]);
    await this.#engine?.engine.then((engine) => engine.close()).catch(() => {});
  }
}
