/** A coordinator as an operator calls it: promises and SeedstormErrors. */
import type { ServiceError } from '@grpc/grpc-js';
import { SeedstormError } from '@seedstorm/errors';
import {
  type CheckPlanRequest,
  type CheckPlanResponse,
  clientChannelOptions,
  fromStatus,
  insecureCredentials,
  OperatorServiceClient,
  type SubmitRunRequest,
  type SubmitRunResponse,
  tokenMetadata,
  type WatchRunResponse,
} from '@seedstorm/proto';

/** How long a coordinator may take to answer a call that does no work, in ms. */
const deadlineMs = 15_000;

/** What a run says of itself. */
export type RunMessage = NonNullable<WatchRunResponse['message']>;

/** A coordinator, as an operator calls it. */
export class OperatorClient {
  readonly #client: OperatorServiceClient;
  readonly #metadata;

  constructor(
    readonly address: string,
    token: string,
  ) {
    this.#client = new OperatorServiceClient(address, insecureCredentials, clientChannelOptions);
    this.#metadata = tokenMetadata(token);
  }

  /** Starts a run. */
  submit(request: SubmitRunRequest): Promise<SubmitRunResponse> {
    return this.#call((reply) => this.#client.submitRun(request, this.#metadata, this.#deadline(), reply));
  }

  /** Follows a run to its end. */
  async *watch(runId: string): AsyncGenerator<RunMessage> {
    const stream = this.#client.watchRun({ runId }, this.#metadata);
    try {
      for await (const { message } of stream as AsyncIterable<WatchRunResponse>)
        if (message !== undefined) yield message;
    } catch (error) {
      throw fromStatus(error as ServiceError, this.address);
    } finally {
      stream.cancel();
    }
  }

  /** Stops a run gracefully. */
  async cancel(runId: string): Promise<void> {
    await this.#call((reply) => this.#client.cancelRun({ runId }, this.#metadata, this.#deadline(), reply));
  }

  /** Checks a plan; agents may take their time. */
  check(request: CheckPlanRequest): Promise<CheckPlanResponse> {
    return this.#call((reply) => this.#client.checkPlan(request, this.#metadata, reply));
  }

  /** Tells that an agent's process is gone. */
  async declareGone(name: string, pid: number): Promise<void> {
    await this.#call((reply) => this.#client.declareAgentGone({ name, pid }, this.#metadata, this.#deadline(), reply));
  }

  /** Hangs up. */
  close(): void {
    this.#client.close();
  }

  #deadline(): { deadline: number } {
    return { deadline: Date.now() + deadlineMs };
  }

  #call<T>(call: (reply: (error: ServiceError | null, response: T) => void) => unknown): Promise<T> {
    return new Promise((resolve, reject) => {
      call((error, response) => (error === null ? resolve(response) : reject(fromStatus(error, this.address))));
    });
  }
}

/** The error of a run that ended without a result: the stream broke off. */
export function brokenOff(runId: string, address: string): SeedstormError {
  return new SeedstormError({
    code: 'SEEDSTORM_E_COORDINATOR_UNREACHABLE',
    what: `the coordinator at ${address} ended the stream before run ${runId} had a result`,
  });
}
