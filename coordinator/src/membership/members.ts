/**
 * The agents of this coordinator: who may join, who is silent, who is gone. Tells one listener, the run that holds the
 * agents, what happens and what they say. Must not know what a stage is.
 */
import { randomInt } from 'node:crypto';
import { SeedstormError } from '@seedstorm/errors';
import { type AttendRequest, type Hello, protocolVersion, toErrorDetail } from '@seedstorm/proto';
import { nowNs } from '../clock.js';
import { type AgentStream, Member } from './member.js';

/** What agents say that is not about membership. */
export type FromAgent = Exclude<
  NonNullable<AttendRequest['message']>,
  { $case: 'hello' | 'heartbeat' | 'clockEcho' | 'leaving' }
>;

/** Who wants to know of the agents. */
export interface MembersListener {
  joined(member: Member): void;
  /** The same incarnation is back on a new stream: what it was last told may not have arrived. */
  returned(member: Member): void;
  suspected(member: Member): void;
  /**
   * It is not coming back. `knownDead` when no write of it can be in flight; else the ledger's own time decides. Told
   * again when one that was silent is found to be dead.
   */
  lost(member: Member, knownDead: boolean): void;
  /** It wants to go. True when the listener will dismiss it, once it has given back what it held. */
  leaving(member: Member): boolean;
  heartbeat(member: Member): void;
  said(member: Member, message: FromAgent): void;
}

/** How often agents say that they live, in ms. */
const heartbeatMs = 1000;
/** Silence that makes an agent suspect, in ms. */
const suspectMs = 3000;
/** How long leases run when no run says otherwise, in ms. */
export const usualLeaseMs = 10_000;
/** Added to the lease before anything is handed over: clocks run at different speeds. A fiftieth of it, and this, in ms. */
const leastMarginMs = 500;

/** Agents that one coordinator takes. */
const maxMembers = 4096;
/** Stages are counted on the wire in 32 bits from a random number on; half of them are left to count. */
const firstStageBelow = 2 ** 31;
/** Probes sent at once when an agent joins, so that its clock is known before its first stage. */
const joinProbes = 8;
/** The longest text in a Hello; the list of a large machine's PUs is the longest of them. */
const maxHelloText = 4096;
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/u;

/** The agents of this coordinator. */
export class Members {
  readonly #members = new Map<string, Member>();
  readonly #listeners = new Set<MembersListener>();
  readonly #ticker: NodeJS.Timeout;
  /** How long the leases of the current run last after a renewal, in ms. */
  leaseMs = usualLeaseMs;

  #stages = randomInt(firstStageBelow);

  /** `version` is told to agents. */
  constructor(readonly version: string) {
    this.#ticker = setInterval(() => this.#tick(), heartbeatMs / 2);
  }

  /** A name for a stage on the wire that no other stage of this coordinator has, nor, most likely, one before a restart. */
  nextStage(): number {
    this.#stages += 1;
    return this.#stages;
  }

  /** How much longer than `leaseMs` the coordinator waits before it hands over. */
  get marginMs(): number {
    return leastMarginMs + this.leaseMs / 50;
  }

  /** Adds a listener; gives what removes it. */
  listen(listener: MembersListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Every agent that was ever seen, by name. */
  all(): Member[] {
    return [...this.#members.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** The agents that work may be given to. */
  working(): Member[] {
    return this.all().filter((member) => member.working);
  }

  /** The member of this name, if any. */
  find(name: string): Member | undefined {
    return this.#members.get(name);
  }

  /**
   * An agent dials in.
   * @throws SeedstormError PROTOCOL_VERSION, AGENT_REFUSED, LIMIT: it may not join.
   */
  admit(hello: Hello, stream: AgentStream): Member {
    if (hello.protocol !== protocolVersion) {
      throw new SeedstormError({
        code: 'SEEDSTORM_E_PROTOCOL_VERSION',
        what: `agent ${printable(hello.name)} (Seedstorm ${printable(hello.version)}) speaks protocol ${hello.protocol}, this coordinator speaks ${protocolVersion}`,
      });
    }
    if (!namePattern.test(hello.name) || hello.incarnation > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw new SeedstormError({
        code: 'SEEDSTORM_E_AGENT_REFUSED',
        what: `“${printable(hello.name)}” is no name for an agent`,
        mend: 'give it by --name a name of letters, digits, dots, dashes, colons or underscores, 128 at most',
      });
    }
    for (const text of [hello.version, hello.host, hello.machine, hello.cpuset]) {
      if (text.length > maxHelloText) {
        throw new SeedstormError({
          code: 'SEEDSTORM_E_LIMIT',
          what: `agent ${hello.name} says ${text.length} characters of itself where ${maxHelloText} are the most`,
        });
      }
    }
    const known = this.#members.get(hello.name);
    if (known?.alive && Number(hello.incarnation) === known.incarnation) {
      known.attach(stream);
      this.#greet(known);
      this.#tell((listener) => listener.returned(known));
      return known;
    }
    if (known !== undefined && Number(hello.incarnation) <= known.incarnation) {
      throw new SeedstormError({
        code: 'SEEDSTORM_E_AGENT_REFUSED',
        what: `agent ${hello.name} (process ${hello.pid} on ${printable(hello.host)}) was taken as ${known.state}, or a newer one of that name has joined`,
        mend: 'start it again; give every agent a name of its own by --name',
      });
    }
    if (known === undefined && !this.#hasRoom()) {
      throw new SeedstormError({
        code: 'SEEDSTORM_E_LIMIT',
        what: `${maxMembers} agents have joined, no more are taken`,
      });
    }
    if (known?.alive) this.#fence(known, hello);
    const member = new Member(hello, stream);
    this.#members.set(hello.name, member);
    this.#greet(member);
    this.#tell((listener) => listener.joined(member));
    return member;
  }

  /**
   * An agent said something, validated as far as this version knows it. What one that was taken as gone still says of
   * its work is passed on; but it holds nothing any more, and to live again it has to join anew.
   */
  receive(member: Member, message: NonNullable<AttendRequest['message']>): void {
    member.heard();
    switch (message.$case) {
      case 'hello':
        throw new SeedstormError({
          code: 'SEEDSTORM_E_MESSAGE_INVALID',
          what: `agent ${member.name} says Hello twice`,
        });
      case 'heartbeat':
        if (!member.alive) return;
        // The ledger takes the renewal before it is acknowledged: the agent counts from when it sent it, we from now.
        this.#tell((listener) => listener.heartbeat(member));
        member.send({ $case: 'heartbeatAck', value: { sentNs: message.value.sentNs } });
        return;
      case 'clockEcho':
        member.clock.echo(message.value.id, message.value.agentNs, nowNs());
        return;
      case 'leaving':
        if (!member.alive) return;
        member.state = 'leaving';
        if (![...this.#listeners].map((listener) => listener.leaving(member)).includes(true)) this.dismiss(member);
        return;
      default:
        this.#tell((listener) => listener.said(member, message));
    }
  }

  /** A stream ended. The member stays until its leases have run out: it may come back. */
  disconnected(member: Member, stream: AgentStream): void {
    if (member.detach(stream) === undefined || !member.alive) return;
    if (member.state === 'present') this.#suspect(member);
  }

  /** An agent may go: nothing of it is in flight. */
  dismiss(member: Member): void {
    member.send({ $case: 'dismiss', value: { reason: undefined } });
    member.end('left');
  }

  /** Somebody who knows says that the agent's process is gone; it matters of one that was lost by its silence too. */
  declareGone(name: string, pid: number): boolean {
    const member = this.#members.get(name);
    if (member === undefined || member.hello.pid !== pid || member.state === 'left') return false;
    this.#lose(member, true);
    return true;
  }

  /** Sends everybody away and stops the clockwork. */
  close(): void {
    clearInterval(this.#ticker);
    for (const member of this.#members.values()) if (member.alive) this.dismiss(member);
  }

  #tick(): void {
    const now = nowNs();
    const alive = this.all().filter((member) => member.alive);
    const silentMs = (member: Member): number => Number((now - member.lastHeardNs) / 1_000_000n);
    const silent = alive.filter((member) => silentMs(member) > Math.min(suspectMs, this.leaseMs));
    // Many silent together: that is the network, and they may come back.
    const network = silent.length > 1 && silent.length * 3 > alive.length;
    for (const member of alive) {
      if (silentMs(member) > this.leaseMs + this.marginMs && !network) this.#lose(member, false);
      else if (silent.includes(member) && member.state === 'present') this.#suspect(member);
      else member.probeClock();
    }
  }

  #suspect(member: Member): void {
    member.state = 'suspect';
    this.#tell((listener) => listener.suspected(member));
  }

  #lose(member: Member, knownDead: boolean): void {
    member.end('lost');
    this.#tell((listener) => listener.lost(member, knownDead));
  }

  /** Whether one more fits; those that are gone make room. */
  #hasRoom(): boolean {
    if (this.#members.size < maxMembers) return true;
    const gone = [...this.#members.values()].find((member) => !member.alive);
    return gone !== undefined && this.#members.delete(gone.name);
  }

  /** Two agents under one name: the older one goes. Its process may still live, so its writes may still be in flight. */
  #fence(older: Member, newer: Hello): void {
    const reason = new SeedstormError({
      code: 'SEEDSTORM_E_AGENT_REFUSED',
      what: `another agent named ${older.name} (process ${newer.pid} on ${printable(newer.host)}) has joined and takes its place`,
      mend: 'give every agent a name of its own by --name',
    });
    older.send({ $case: 'dismiss', value: { reason: toErrorDetail(reason) } });
    this.#lose(older, false);
  }

  #greet(member: Member): void {
    member.send({ $case: 'welcome', value: { version: this.version, heartbeatMs } });
    for (let i = 0; i < joinProbes; i++) member.probeClock();
  }

  #tell(what: (listener: MembersListener) => void): void {
    for (const listener of [...this.#listeners]) what(listener);
  }
}

function printable(text: string): string {
  return text.slice(0, 128).replace(/\p{Cc}/gu, '?');
}
