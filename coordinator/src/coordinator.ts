/** The coordinator as a whole: its services on one address, and its end. */
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { SeedstormError } from '@seedstorm/errors';
import { AgentServiceService, channelOptions, OperatorServiceService } from '@seedstorm/proto';
import { Members } from './membership/members.js';
import { RunRecords } from './record/run-records.js';
import { Runs } from './runs.js';
import { agentService } from './service/agent-service.js';
import { operatorService } from './service/operator-service.js';
import { tokenGuard } from './service/token-guard.js';

/** What a coordinator is started with. */
export interface CoordinatorOptions {
  /** Where to listen, as host:port; port 0 chooses a free one. */
  readonly listen: string;
  /** What every call must show. */
  readonly token: string;
  /** The software's version, told to agents. */
  readonly version: string;
  /** Where the records of runs are kept. */
  readonly dataFolder: string;
  /** Where lines for people go. */
  readonly log: (line: string) => void;
}

/** host:port, with brackets around an IPv6 address. Without a port grpc-js would take 443. */
const addressPattern = /^(?:\[[0-9a-fA-F:.%\w]+\]|[^:/[\]]+):\d{1,5}$/u;

/** How long a call may take to end once the coordinator closes. */
const closeTimeoutMs = 2000;

/** A running coordinator. */
export class Coordinator {
  private constructor(
    /** Where it listens, as host:port. */
    readonly address: string,
    private readonly server: Server,
    private readonly members: Members,
    private readonly runs: Runs,
  ) {}

  /**
   * Starts a coordinator.
   * @throws SeedstormError PORT_TAKEN, INVALID_ARGUMENT when it cannot listen there.
   */
  static async start(options: CoordinatorOptions): Promise<Coordinator> {
    const members = new Members(options.version);
    const host = options.listen.slice(0, options.listen.lastIndexOf(':'));
    const runs = new Runs(members, host, new RunRecords(options.dataFolder), options.version);
    const server = new Server({ ...channelOptions, interceptors: [tokenGuard(options.token)] });
    server.addService(AgentServiceService, agentService(members, options.log));
    server.addService(OperatorServiceService, operatorService(members, runs));
    try {
      const port = await listen(server, options.listen);
      return new Coordinator(`${host}:${port}`, server, members, runs);
    } catch (error) {
      members.close();
      throw error;
    }
  }

  /** Stops the current run gracefully, sends the agents away and stops listening. */
  async close(): Promise<void> {
    await this.runs.stop();
    this.members.close();
    await new Promise<void>((resolve) => {
      const force = setTimeout(() => this.server.forceShutdown(), closeTimeoutMs);
      this.server.tryShutdown(() => {
        clearTimeout(force);
        resolve();
      });
    });
  }
}

function listen(server: Server, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    if (!addressPattern.test(address)) return reject(notHere(address, 'it is not host:port'));
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) return resolve(port);
      if (!error.message.includes('EADDRINUSE')) return reject(notHere(address, error.message, error));
      reject(
        new SeedstormError({
          code: 'SEEDSTORM_E_PORT_TAKEN',
          what: `${address} is in use by another process`,
          cause: error,
        }),
      );
    });
  });
}

function notHere(address: string, why: string, cause?: unknown): SeedstormError {
  return new SeedstormError({
    code: 'SEEDSTORM_E_INVALID_ARGUMENT',
    what: `cannot listen on “${address}”: ${why}`,
    mend: 'give --listen an address of this host, as host:port',
    cause,
  });
}
