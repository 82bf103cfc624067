/**
 * One network stage: the agents tell where they listen, are told whom to send to, connect, start at one instant, and send
 * for the time that the plan gives. No units, no leases: who is lost is named, and the rest counts. How agents come
 * together and part is the muster's; what came of it is in network-result.ts.
 */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { SeedstormError } from '@seedstorm/errors';
import {
  fromErrorDetail,
  type PeersConnected,
  type Progress,
  type StageEnded,
  type StagePrepared,
  type UnreachedPeer,
} from '@seedstorm/proto';
import { nowNs } from '../clock.js';
import type { Member, ToAgent } from '../membership/member.js';
import type { FromAgent, Members } from '../membership/members.js';
import type { NetworkPattern, ResolvedNetworkStage, ResolvedPlan } from '../plan/index.js';
import { Muster, type MusterPlan, ofAgent, type Shares } from './muster.js';
import { NetworkHost } from './network-host.js';
import { coordinatorName, sendsTo } from './network-peers.js';
import { networkProgress } from './network-result.js';
import type { Participant } from './participant.js';
import { labelOf, noPlace, type Place } from './rounds.js';
import type { RunLog } from './run-log.js';

/** Agents themselves give up after ten seconds. */
const connectTimeoutMs = 20_000;
/** Agents wait ten seconds at most for what is on its way. */
const endTimeoutMs = 20_000;
const tokenBytes = 32;
const looksMs = 1000;
/** Characters of an agent's reason that are kept. */
const maxWhy = 200;
/** Hosts that a note names. */
const maxNamedHosts = 5;

/** What a network stage needs of the plan. */
export interface NetworkPlan extends MusterPlan {
  readonly runId: string;
  readonly name: 'network';
  readonly place: Place;
  readonly stage: ResolvedNetworkStage;
  readonly lanesPerAgent: number | undefined;
  readonly leaseMs: number;
}

/** The plan of network stage `index`, `wireStage` on the wire. */
export function networkPlan(
  plan: ResolvedPlan,
  runId: string,
  index: number,
  wireStage: number,
  stage: ResolvedNetworkStage,
  place: Place = noPlace,
  agents?: ReadonlySet<string>,
): NetworkPlan {
  const { lanesPerAgent, leaseMs } = plan;
  const { delayMs } = stage;
  return {
    runId,
    index,
    wireStage,
    name: 'network',
    label: labelOf('network', place),
    place,
    agents,
    stage,
    delayMs,
    lanesPerAgent,
    leaseMs,
    isCleanUp: false,
    removesRunFolder: false,
    dropCaches: '',
  };
}

/** An agent's place in the traffic. */
export interface Seat {
  readonly participant: Participant;
  /** Where it listens. */
  readonly address: string;
  connected: boolean;
  /** What it said at its end. */
  ended: StageEnded | undefined;
}

/** One network stage of a run. */
export class NetworkStage extends Muster<NetworkPlan> {
  /** The agents by number, once they are numbered. */
  places: Seat[] = [];
  /** Whom each sends to, by number. */
  targets: number[][] = [];
  pattern: NetworkPattern = 'all-to-all';
  /** The coordinator's own lanes, where they take part. */
  host: NetworkHost | undefined;
  readonly #addresses = new Map<Participant, string>();
  readonly #token = randomBytes(tokenBytes);
  #looks: NodeJS.Timeout | undefined;
  #ran = false;

  constructor(
    plan: NetworkPlan,
    members: Members,
    log: RunLog,
    /** The host that the coordinator listens on. */
    private readonly listenHost: string,
  ) {
    super(plan, members, log);
  }

  /** The name of a number. */
  nameOf(number: number): string {
    return this.places[number]?.participant.name ?? coordinatorName;
  }

  protected override invitation(member: Member, shares: Shares): ToAgent {
    const { runId, wireStage: stage, lanesPerAgent, leaseMs } = this.plan;
    const { blockBytes, streams, durationMs } = this.plan.stage;
    return {
      $case: 'prepareNetwork',
      value: {
        runId,
        stage,
        blockBytes: BigInt(blockBytes),
        streams,
        lanes: lanesPerAgent ?? 0,
        durationNs: BigInt(durationMs) * 1_000_000n,
        token: this.#token,
        share: shares.get(member.name) ?? { index: 0, of: 1 },
        leaseMs,
      },
    };
  }

  protected override gotReady(participant: Participant, { dataAddress }: StagePrepared): void {
    this.#addresses.set(participant, dataAddress);
  }

  protected override otherwise(participant: Participant, message: FromAgent): void {
    if (message.$case === 'peersConnected') this.#connected(participant, message.value);
  }

  protected override parted(participant: Participant, message: StageEnded): void {
    const place = this.places.find((each) => each.participant === participant);
    if (place === undefined) return;
    if (message.peers.length > this.places.length) {
      const what = `${participant.name} tells of ${message.peers.length} peers, and there are fewer`;
      throw new SeedstormError({ code: 'SEEDSTORM_E_MESSAGE_INVALID', what });
    }
    place.ended = { ...message, peers: message.peers.map((peer) => ({ ...peer, why: peer.why.slice(0, maxWhy) })) };
  }

  protected override repeat(participant: Participant): void {
    const number = this.places.findIndex((place) => place.participant === participant);
    if (participant.state === 'ready' && number >= 0) this.#tellPeers(number);
  }

  // ── The phases ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** Each is told whom to send to, and connects. */
  protected override async introduce(): Promise<void> {
    const ready = this.in('ready');
    this.pattern = this.plan.stage.pattern ?? (ready.length > 1 ? 'all-to-all' : 'coordinator');
    if (this.pattern !== 'coordinator' && ready.length < 2) {
      throw new SeedstormError({
        code: 'SEEDSTORM_E_NO_AGENTS',
        what: `a network stage of the pattern ${this.pattern} needs two agents, and there is one`,
        mend: 'start more agents, or set the pattern to coordinator',
      });
    }
    this.places = ready.map((participant) => ({
      participant,
      address: this.#addresses.get(participant) ?? '',
      connected: false,
      ended: undefined,
    }));
    const agents = ready.map(({ name, member: { host } }) => ({ name, host }));
    this.targets = sendsTo(this.pattern, this.plan.stage.direction, agents);
    this.#noteThePartnerless();
    this.#noteNeighbours();
    if (this.pattern === 'coordinator') await this.#listen();
    for (const number of this.places.keys()) this.#tellPeers(number);
    await this.#connectHost();
    const waiting = (): Seat[] => this.places.filter((p) => !p.connected && p.participant.state === 'ready');
    await this.waiters.until(() => waiting().length === 0 || this.over(), connectTimeoutMs);
    const [late] = waiting();
    if (late !== undefined && !this.over()) {
      throw new SeedstormError({
        code: 'SEEDSTORM_E_STAGE_FAILED',
        what: `${late.participant.name} did not connect to its peers within ${connectTimeoutMs / 1000} s`,
        mend: 'look at the log of this agent',
      });
    }
  }

  protected override async work(): Promise<void> {
    this.startTogether(this.in('ready'));
    this.host?.beginAt(this.startNs);
    this.#looks = setInterval(() => void this.host?.look().catch(() => {}), looksMs);
    const endNs = this.startNs + BigInt(this.plan.stage.durationMs) * 1_000_000n;
    await this.waiters.until(() => nowNs() >= endNs || this.over() || this.in('running').length === 0);
    this.#ran = nowNs() >= endNs;
  }

  protected override async end(): Promise<void> {
    clearInterval(this.#looks);
    await Promise.all([super.end(endTimeoutMs), this.host?.end(this.over() || !this.#ran)]);
    if (this.over()) return;
    if (this.in('ended').length === 0) {
      const what = 'every agent was lost in the network stage';
      this.fail(new SeedstormError({ code: 'SEEDSTORM_E_AGENT_LOST', what }));
    }
    this.#noteTheLost();
  }

  /** The others ended in time, and they count. */
  protected override hung(): void {}

  /** Whether it ran its time, with whoever was left. */
  override isComplete(): boolean {
    return this.#ran && !this.over();
  }

  protected override standing(): Progress {
    return networkProgress(this);
  }

  // ── Steps ────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #listen(): Promise<void> {
    const { blockBytes, streams, durationMs } = this.plan.stage;
    const { lanesPerAgent } = this.plan;
    this.host = await NetworkHost.listen(this.listenHost, {
      blockBytes,
      streams,
      ...(lanesPerAgent === undefined ? {} : { lanes: lanesPerAgent }),
      durationNs: durationMs * 1e6,
      token: this.#token,
    });
  }

  #tellPeers(own: number): void {
    const peers = (this.targets[own] ?? []).map((number) => ({ number, address: this.#addressOf(number) }));
    this.places[own]?.participant.member.send({
      $case: 'connectPeers',
      value: { stage: this.plan.wireStage, own, peers },
    });
  }

  /** Where a number listens; the coordinator's host is known to each agent by its own address for it. */
  #addressOf(number: number): string {
    return this.places[number]?.address ?? `:${this.host?.port}`;
  }

  #connected(participant: Participant, { error, unreached }: PeersConnected): void {
    const place = this.places.find((each) => each.participant === participant);
    if (place === undefined || place.connected) return;
    place.connected = true;
    if (error !== undefined) {
      this.fail(ofAgent(participant, fromErrorDetail(error)));
      return;
    }
    this.#missed(`agent ${participant.name}`, unreached);
  }

  async #connectHost(): Promise<void> {
    const own = this.places.length;
    const targets = (this.targets[own] ?? []).map((peer) => ({ peer, address: this.#addressOf(peer) }));
    const unreached = (await this.host?.connect(own, targets)) ?? [];
    this.#missed(
      "the coordinator's host",
      unreached.map(({ peer, why }) => ({ number: peer, why })),
    );
  }

  /** Some were not reached: that fails the stage, unless they died meanwhile, which is nobody's fault. */
  #missed(from: string, unreached: readonly UnreachedPeer[]): void {
    const missed = unreached.find(({ number }) => this.places[number]?.participant.state !== 'gone');
    if (missed === undefined) return;
    const what = `${from} cannot reach ${this.nameOf(missed.number)} at ${missed.why.slice(0, maxWhy)}`;
    const mend = 'let agents connect to each other (firewall), or give each the right --listen-address';
    this.fail(new SeedstormError({ code: 'SEEDSTORM_E_NETWORK', what, mend }));
  }

  #noteThePartnerless(): void {
    const busy = new Set(this.targets.flatMap((to, from) => (to.length > 0 ? [from, ...to] : [])));
    for (const [number, { participant }] of this.places.entries())
      if (!busy.has(number)) this.remark(`${participant.name} has no partner in the network stage`);
  }

  /** What goes between two of one host is no figure of a network. */
  #noteNeighbours(): void {
    const hostOf = (number: number): string => this.places[number]?.participant.member.host ?? hostname();
    const pairs = this.targets.flatMap((to, from) => to.map((number) => [hostOf(from), hostOf(number)] as const));
    const near = pairs.filter(([from, to]) => from === to);
    if (near.length === 0) return;
    const hosts = [...new Set(near.map(([host]) => host))].slice(0, maxNamedHosts).join(', ');
    this.remark(`${near.length} of ${pairs.length} pairs are within one host (${hosts}): their bytes do not leave it`);
  }

  /** Who was lost, and what the others saw of it. */
  #noteTheLost(): void {
    for (const { participant } of this.places) {
      if (participant.state !== 'ended' && participant.member.state !== 'left') {
        this.remark(`${participant.name} was lost in the network stage: it counts up to its last report`);
      }
    }
    for (const { participant, ended } of this.places) {
      for (const { number, broken, why } of ended?.peers ?? []) {
        if (broken === 0n) continue;
        this.remark(`${broken} connections of ${participant.name} with ${this.nameOf(number)} broke: ${why}`);
      }
    }
  }
}
