/**
 * The stream to the coordinator: dialled, and dialled again with jittered backoff when it breaks. Must not know what is
 * said on it, but for the greeting.
 */
import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js';
import { SeedstormError } from '@seedstorm/errors';
import {
  AgentServiceClient,
  type AttendRequest,
  type AttendResponse,
  clientChannelOptions,
  fromStatus,
  type Hello,
  insecureCredentials,
  tokenMetadata,
} from '@seedstorm/proto';

/** What an agent says. */
export type ToCoordinator = NonNullable<AttendRequest['message']>;
/** What the coordinator says. */
export type FromCoordinator = NonNullable<AttendResponse['message']>;

/** Who listens to the connection. */
export interface ConnectionListener {
  /** The coordinator took us; again after each break. */
  welcomed(heartbeatMs: number): void;
  said(message: Exclude<FromCoordinator, { $case: 'welcome' }>): void;
  /** The stream broke; it is dialled again. */
  broken(why: SeedstormError): void;
  /** It is no use to dial again. */
  failed(why: SeedstormError): void;
}

/** What a connection needs. */
export interface ConnectionOptions {
  readonly address: string;
  readonly token: string;
  readonly hello: Hello;
  /** How long to go on dialling before the first welcome, in ms. */
  readonly joinTimeoutMs: number;
}

const firstBackoffMs = 200;
const maxBackoffMs = 5000;
/** How long to go on dialling after a break. The coordinator has handed everything over long before. */
const rejoinTimeoutMs = 600_000;

/** How long a coordinator may take to greet: what takes longer is none, or hangs. */
const greetingTimeoutMs = 15_000;

/** The stream to the coordinator. */
export class Connection {
  readonly #client: AgentServiceClient;
  #stream: ClientDuplexStream<AttendRequest, AttendResponse> | undefined;
  #backoffMs = firstBackoffMs;
  #redial: NodeJS.Timeout | undefined;
  #ungreeted: NodeJS.Timeout | undefined;
  #lostSinceMs = performance.now();
  #joined = false;
  /** Whether the coordinator has greeted this stream. What is said before would overtake what must be said again. */
  #greeted = false;
  #closed = false;

  constructor(
    private readonly options: ConnectionOptions,
    private readonly listener: ConnectionListener,
  ) {
    this.#client = new AgentServiceClient(options.address, insecureCredentials, clientChannelOptions);
  }

  /** Dials. */
  open(): void {
    if (this.#closed) return;
    const stream = this.#client.attend(tokenMetadata(this.options.token));
    this.#stream = stream;
    stream.on('data', ({ message }: AttendResponse) => {
      if (message === undefined || stream !== this.#stream) return;
      if (message.$case !== 'welcome') {
        this.listener.said(message);
        return;
      }
      clearTimeout(this.#ungreeted);
      this.#joined = true;
      this.#greeted = true;
      this.#backoffMs = firstBackoffMs;
      this.listener.welcomed(message.value.heartbeatMs);
    });
    stream.on('error', (error: ServiceError) => this.#ended(stream, fromStatus(error, this.options.address)));
    const unreachable = (what: string): void =>
      this.#ended(stream, new SeedstormError({ code: 'SEEDSTORM_E_COORDINATOR_UNREACHABLE', what }));
    stream.on('end', () => unreachable(`the coordinator at ${this.options.address} ended the stream`));
    const mute = `what listens at ${this.options.address} does not answer as a coordinator does`;
    this.#ungreeted = setTimeout(() => unreachable(mute), this.#greetingMs());
    stream.write({ message: { $case: 'hello', value: this.options.hello } });
  }

  /** Whether there is a stream that the coordinator has greeted. */
  get greeted(): boolean {
    return this.#greeted;
  }

  /** Says something; false when there is no stream that the coordinator has greeted, and nothing was said. */
  send(message: ToCoordinator): boolean {
    if (this.#stream === undefined || !this.#greeted) return false;
    this.#stream.write({ message });
    return true;
  }

  /** Ends the stream for good. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#redial);
    clearTimeout(this.#ungreeted);
    this.#stream?.end();
    this.#stream = undefined;
    this.#client.close();
  }

  #ended(stream: ClientDuplexStream<AttendRequest, AttendResponse>, why: SeedstormError): void {
    if (stream !== this.#stream || this.#closed) return;
    this.#stream = undefined;
    this.#greeted = false;
    clearTimeout(this.#ungreeted);
    stream.cancel();
    if (this.#joined && this.#backoffMs === firstBackoffMs) this.#lostSinceMs = performance.now();
    const patienceMs = this.#joined ? rejoinTimeoutMs : this.options.joinTimeoutMs;
    // What is not the network's word is the coordinator's: dialling again would not change it.
    const final = why.code !== 'SEEDSTORM_E_COORDINATOR_UNREACHABLE' && why.code !== 'SEEDSTORM_E_INTERNAL';
    if (final || performance.now() - this.#lostSinceMs > patienceMs) {
      this.listener.failed(why);
      return;
    }
    this.listener.broken(why);
    this.#redial = setTimeout(() => this.open(), this.#backoffMs * (0.5 + Math.random() / 2));
    this.#backoffMs = Math.min(maxBackoffMs, this.#backoffMs * 2);
  }

  /** How long to wait for the greeting of a stream: no longer than whoever started us wants to wait in all. */
  #greetingMs(): number {
    if (this.#joined) return greetingTimeoutMs;
    return Math.min(greetingTimeoutMs, this.#lostSinceMs + this.options.joinTimeoutMs - performance.now());
  }
}
