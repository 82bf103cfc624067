/**
 * One agent as the coordinator sees it: who it is, whether it lives, its clock, and the stream to it. A member outlives
 * its stream: an agent that reconnects under the same incarnation is the same member. Must not know of runs.
 */
import type { AttendResponse, Hello } from '@seedstorm/proto';
import { nowNs } from '../clock.js';
import { ClockOffset } from './clock-offset.js';

/** present: heard of lately; suspect: silent; leaving: has asked to go; lost: silent for longer than its leases run, or known dead; left: gone as it wished. */
export type MemberState = 'present' | 'suspect' | 'leaving' | 'lost' | 'left';

/** What the coordinator may say to an agent. */
export type ToAgent = NonNullable<AttendResponse['message']>;

/** The stream to an agent, as little of it as a member needs. */
export interface AgentStream {
  write(message: AttendResponse): boolean;
  end(): void;
}

/** Messages that may wait for a slow reader before its stream is ended; it may reconnect and is told anew. */
const maxQueued = 4096;

/** One agent. */
export class Member {
  readonly clock = new ClockOffset();
  state: MemberState = 'present';
  lastHeardNs: bigint = nowNs();
  #stream: AgentStream | undefined;
  #queued = 0;

  constructor(
    readonly hello: Hello,
    stream: AgentStream,
  ) {
    this.#stream = stream;
  }

  get name(): string {
    return this.hello.name;
  }

  get host(): string {
    return this.hello.host;
  }

  /** Rises with every start of this agent. */
  get incarnation(): number {
    return Number(this.hello.incarnation);
  }

  /** Whether work may be given to it. */
  get working(): boolean {
    return (this.state === 'present' || this.state === 'suspect') && this.#stream !== undefined;
  }

  /** Whether it may still come back with its leases. */
  get alive(): boolean {
    return this.state !== 'lost' && this.state !== 'left';
  }

  /** Says something to the agent; dropped when it has no stream: what matters is said again after a reconnect. */
  send(message: ToAgent): void {
    if (this.#stream === undefined) return;
    if (this.#stream.write({ message })) {
      this.#queued = 0;
    } else if (++this.#queued > maxQueued) {
      this.detach(this.#stream)?.end();
    }
  }

  /** Asks for the agent's clock. */
  probeClock(): void {
    this.send({ $case: 'clockProbe', value: { id: this.clock.probe(nowNs()) } });
  }

  /** The same agent came back on another stream. */
  attach(stream: AgentStream): void {
    this.#stream?.end();
    this.#stream = stream;
    this.#queued = 0;
    this.heard();
  }

  /** The stream is gone. Gives it back if it was this member's. */
  detach(stream: AgentStream): AgentStream | undefined {
    if (this.#stream !== stream) return undefined;
    this.#stream = undefined;
    return stream;
  }

  /** The agent said something. */
  heard(): void {
    this.lastHeardNs = nowNs();
    if (this.state === 'suspect') this.state = 'present';
  }

  /** Ends the stream for good. */
  end(state: 'lost' | 'left'): void {
    this.state = state;
    this.#stream?.end();
    this.#stream = undefined;
  }
}
