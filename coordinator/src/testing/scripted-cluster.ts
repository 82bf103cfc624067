/** A real coordinator and an operator of it, for agents that a spec plays. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  clientChannelOptions,
  type Event,
  insecureCredentials,
  OperatorServiceClient,
  type RunResult,
  tokenMetadata,
  type WatchRunResponse,
} from '@seedstorm/proto';
import { Coordinator } from '../coordinator.js';
import { ScriptedAgent } from './scripted-agent.js';

const token = 'secret';

/** A run that is followed. */
export interface Watched {
  readonly result: Promise<RunResult>;
  /** What happened so far. */
  readonly events: Event[];
}

/** A coordinator, an operator, and the agents that a spec plays. */
export class ScriptedCluster {
  /** What the coordinator wrote into its log. */
  readonly log: string[] = [];
  readonly #dataFolder = mkdtempSync(join(tmpdir(), 'seedstorm-spec-'));
  readonly #agents: ScriptedAgent[] = [];
  #coordinator: Coordinator | undefined;
  #operator: OperatorServiceClient | undefined;

  static async start(): Promise<ScriptedCluster> {
    const cluster = new ScriptedCluster();
    const log = (line: string) => void cluster.log.push(line);
    const coordinator = await Coordinator.start({
      listen: '127.0.0.1:0',
      token,
      version: '0.1.0',
      dataFolder: cluster.#dataFolder,
      log,
    });
    cluster.#coordinator = coordinator;
    cluster.#operator = new OperatorServiceClient(coordinator.address, insecureCredentials, clientChannelOptions);
    return cluster;
  }

  /** An agent of this name, on a host of its own. */
  join(name: string): ScriptedAgent {
    const address = this.#coordinator?.address ?? '';
    const agent = new ScriptedAgent(address, token, { name, host: `host-of-${name}`, machine: name });
    this.#agents.push(agent);
    return agent;
  }

  /** Starts a run when so many agents have joined, and follows it. */
  async submit(text: string, agents = 2): Promise<Watched> {
    const { operator } = this;
    const request = { plan: { text, fileName: 'plan.yaml', folder: '/' }, agents, agentsTimeoutMs: 5000, keep: false };
    const runId = await new Promise<string>((resolve, reject) => {
      operator.submitRun(request, tokenMetadata(token), (error, answer) =>
        error === null ? resolve(answer.runId) : reject(error),
      );
    });
    const events: Event[] = [];
    const result = new Promise<RunResult>((resolve, reject) => {
      const stream = operator.watchRun({ runId }, tokenMetadata(token));
      stream.on('error', reject);
      stream.on('data', ({ message }: WatchRunResponse) => {
        if (message?.$case === 'event') events.push(message.value);
        if (message?.$case === 'result') resolve(message.value);
      });
    });
    return { result, events };
  }

  /** Tells that an agent's process is gone. */
  declareGone(name: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.operator.declareAgentGone({ name, pid: 1234 }, tokenMetadata(token), (error) =>
        error === null ? resolve() : reject(error),
      );
    });
  }

  async close(): Promise<void> {
    for (const agent of this.#agents) agent.close();
    this.#operator?.close();
    await this.#coordinator?.close();
    rmSync(this.#dataFolder, { recursive: true, force: true });
  }

  private get operator(): OperatorServiceClient {
    if (this.#operator === undefined) throw new Error('the cluster was not started');
    return this.#operator;
  }
}
