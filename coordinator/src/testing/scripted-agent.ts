/**
 * An agent on a real stream that does no I/O: a spec says what it reports. By itself it only answers what no spec is
 * about: clock probes, checks of the target, heartbeats while it is told to live.
 */
import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js';
import type { SeedstormError } from '@seedstorm/errors';
import {
  AgentServiceClient,
  type AttendRequest,
  type AttendResponse,
  bucketOf,
  clientChannelOptions,
  encodeHistogram,
  fromStatus,
  type GrantLease,
  type Hello,
  insecureCredentials,
  type LeaseProgress,
  type Report,
  StageEnded,
  tokenMetadata,
} from '@seedstorm/proto';
import { classOf, counters, hello, report } from './messages.js';

type Said = NonNullable<AttendResponse['message']>;
type Say = NonNullable<AttendRequest['message']>;
type Kind = Said['$case'];
type Value<K extends Kind> = Extract<Said, { $case: K }>['value'];

const heartbeatMs = 200;
const unitBytes = 1_048_576n;

/** How far a lease is. */
export type Progress = Partial<Pick<LeaseProgress, 'done' | 'written' | 'complete' | 'error' | 'epoch'>>;

/** One scripted agent. */
export class ScriptedAgent {
  readonly #client: AgentServiceClient;
  readonly #stream: ClientDuplexStream<AttendRequest, AttendResponse>;
  readonly #heard: Said[] = [];
  /** How many of each kind `next` has given. */
  readonly #given = new Map<Kind, number>();
  readonly #hello: Hello;
  /** Resolves with why the stream ended; undefined when it just did. */
  readonly ended: Promise<SeedstormError | undefined>;
  #news: (() => void)[] = [];
  #heartbeat: NodeJS.Timeout | undefined;
  /** The stage that it takes part in, as the coordinator names it. */
  stage = 0;
  #sequence = 0n;
  #operations = 0n;

  constructor(address: string, token: string, changes: Partial<Hello>) {
    this.#hello = hello(changes);
    this.#client = new AgentServiceClient(address, insecureCredentials, clientChannelOptions);
    this.#stream = this.#client.attend(tokenMetadata(token));
    this.ended = new Promise((resolve) => {
      this.#stream.on('error', (error: ServiceError) => resolve(fromStatus(error, address)));
      this.#stream.on('end', () => resolve(undefined));
    });
    this.#stream.on('data', ({ message }: AttendResponse) => message !== undefined && this.#hear(message));
    this.say({ $case: 'hello', value: this.#hello });
    this.live();
  }

  get name(): string {
    return this.#hello.name;
  }

  /** Says that it lives, until it falls silent. */
  live(): void {
    const beat = (): void => this.say({ $case: 'heartbeat', value: { sentNs: process.hrtime.bigint() } });
    this.#heartbeat = setInterval(beat, heartbeatMs);
  }

  /** Sends no heartbeat any more. */
  fallSilent(): void {
    clearInterval(this.#heartbeat);
  }

  say(message: Say): void {
    this.#stream.write({ message });
  }

  /** All messages of a kind that have come. */
  all<K extends Kind>(kind: K): Value<K>[] {
    return this.#heard.flatMap((said) => (said.$case === kind ? [said.value as Value<K>] : []));
  }

  /** The next message of a kind. */
  async next<K extends Kind>(kind: K): Promise<Value<K>> {
    const at = this.#given.get(kind) ?? 0;
    this.#given.set(kind, at + 1);
    for (;;) {
      const value = this.all(kind)[at];
      if (value !== undefined) return value;
      await this.#waitForNews();
    }
  }

  /** Resolves when `ready` holds; it is asked again with each message that comes. */
  async until(ready: () => boolean): Promise<void> {
    while (!ready()) await this.#waitForNews();
  }

  /** Gets ready for the next stage and waits for its start. */
  async begin(): Promise<void> {
    const { stage } = await this.next('prepareStage');
    this.stage = stage;
    this.#sequence = 0n;
    this.#operations = 0n;
    const unmeasured = { generator: undefined, memoryBytes: 0n };
    this.say({
      $case: 'stagePrepared',
      value: { stage, error: undefined, notes: [], lanes: 2, dataAddress: '', ...unmeasured },
    });
    await this.next('startStage');
  }

  /** Tells that it has ended its part, when it is asked to. */
  async end(): Promise<void> {
    const { stage } = await this.next('endStage');
    this.say({ $case: 'stageEnded', value: StageEnded.fromPartial({ stage, runFolderRemoved: true }) });
  }

  /** Its next report, not sent yet: `units` more operations than the one before, and how far this lease is. */
  progress({ stage, leaseId, epoch }: GrantLease, units: bigint, progress: Progress): Report {
    this.#sequence += 1n;
    this.#operations += units;
    const nothing = { done: [], written: [], failed: [], shards: [] };
    const agentNs = process.hrtime.bigint();
    return report({
      stage,
      sequence: this.#sequence,
      agentNs,
      startedNs: agentNs > 1n ? 1n : 0n,
      lastDoneNs: agentNs,
      pools: [counters({ operations: this.#operations, bytes: this.#operations * unitBytes })],
      classes: [
        classOf({
          operations: this.#operations,
          bytes: this.#operations * unitBytes,
          service: encodeHistogram(
            units > 0n
              ? { buckets: [bucketOf(1_000_000)], counts: [Number(units)], maxNs: 1_000_000 }
              : { buckets: [], counts: [], maxNs: 0 },
          ),
        }),
      ],
      leases: [{ ...nothing, leaseId, epoch, error: undefined, complete: false, ended: false, ...progress }],
    });
  }

  /** The report of a lease that is done as a whole. */
  done(lease: GrantLease): Report {
    const all = lease.units === undefined ? [] : [lease.units];
    const [{ first, end } = { first: 0n, end: 0n }] = all;
    return this.progress(lease, end - first, { done: all, written: all, complete: true });
  }

  /** Does every lease that it is given, well, until the stage ends. */
  async workOff(): Promise<void> {
    void (async () => {
      for (;;) {
        const lease = await this.next('grantLease');
        if (lease.stage === this.stage) this.say({ $case: 'report', value: this.done(lease) });
      }
    })();
    await this.end();
  }

  close(): void {
    this.fallSilent();
    this.#stream.cancel();
    this.#client.close();
  }

  #hear(said: Said): void {
    switch (said.$case) {
      case 'clockProbe':
        this.say({ $case: 'clockEcho', value: { id: said.value.id, agentNs: process.hrtime.bigint() } });
        return;
      case 'checkTarget': {
        const { id } = said.value;
        this.say({
          $case: 'targetChecked',
          value: {
            id,
            findings: [],
            freeBytes: 0n,
            device: '1',
            lanes: 2,
            identity: '',
            deviceBytes: 0n,
            memoryBytes: 0n,
            paths: [],
          },
        });
        return;
      }
      case 'probeTarget':
        this.say({ $case: 'targetProbed', value: { id: said.value.id, error: undefined, unseen: [] } });
        return;
      case 'lockTarget':
        this.say({ $case: 'targetLocked', value: { id: said.value.id, error: undefined, notes: [] } });
        return;
      default: {
        this.#heard.push(said);
        const news = this.#news;
        this.#news = [];
        for (const tell of news) tell();
      }
    }
  }

  #waitForNews(): Promise<void> {
    return new Promise((resolve) => this.#news.push(resolve));
  }
}
