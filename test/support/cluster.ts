/** A coordinator and agents as an administrator starts them: separate commands, which share a token file. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Command, Ended } from './command.js';
import type { Sandbox } from './sandbox.js';

/** A coordinator and its agents. */
export class Cluster {
  readonly #agents = new Map<string, Command>();

  private constructor(
    private readonly sandbox: Sandbox,
    readonly coordinator: Command,
    /** Where the coordinator listens, as host:port. */
    readonly address: string,
    readonly tokenFile: string,
  ) {}

  /** Starts a coordinator on a free port, and agents named agent-1 and so on; all have joined when it resolves. */
  static async start(sandbox: Sandbox, agents: number): Promise<Cluster> {
    const tokenFile = join(sandbox.folder, 'token');
    const coordinator = sandbox.start('coordinator', '--listen', '127.0.0.1:0', '--token-file', tokenFile);
    const [, address = ''] = await coordinator.said(/listening on (\S+)/u);
    const cluster = new Cluster(sandbox, coordinator, address, tokenFile);
    const started = Array.from({ length: agents }, (_, i) => cluster.startAgent(`agent-${i + 1}`));
    await Promise.all(started.map((agent) => agent.said(/joined the coordinator/u)));
    return cluster;
  }

  /** What agents and operators show to the coordinator. */
  get token(): string {
    return readFileSync(this.tokenFile, 'utf8').trim();
  }

  /** What a command needs to find this cluster. */
  get flags(): string[] {
    return ['--coordinator', this.address, '--token-file', this.tokenFile];
  }

  /** The agents that were started. */
  get agents(): Command[] {
    return [...this.#agents.values()];
  }

  /** The agent of this name. */
  agent(name: string): Command {
    const agent = this.#agents.get(name);
    if (agent === undefined) throw new Error(`there is no agent ${name}`);
    return agent;
  }

  /** Starts one more agent. */
  startAgent(name: string, ...flags: string[]): Command {
    const agent = this.sandbox.start('agent', '--name', name, ...this.flags, ...flags);
    this.#agents.set(name, agent);
    return agent;
  }

  /** Starts one more agent, for which `folder` is hidden behind `other`. */
  startAgentSeeing(other: string, folder: string, name: string): Command {
    const agent = this.sandbox.startSeeing(other, folder, 'agent', '--name', name, ...this.flags);
    this.#agents.set(name, agent);
    return agent;
  }

  /** Starts one more agent, on a host of another name. */
  startAgentOnHost(host: string, name: string): Command {
    const agent = this.sandbox.startOnHost(host, 'agent', '--name', name, ...this.flags);
    this.#agents.set(name, agent);
    return agent;
  }

  /** Starts a run on this cluster. */
  start(plan: string, ...flags: string[]): Command {
    return this.sandbox.start('run', plan, ...this.flags, ...flags);
  }

  /** Runs a plan on this cluster to its end. */
  run(plan: string, ...flags: string[]): Promise<Ended> {
    return this.start(plan, ...flags).ended;
  }

  /** Stops the coordinator, which sends its agents away, and asserts that all went as they should. */
  async stop(): Promise<void> {
    if (!this.coordinator.over) this.coordinator.signal('SIGTERM');
    await this.gone();
  }

  /** Waits until the coordinator, which was told to stop, and its agents have gone, and asserts that all did as they should. */
  async gone(): Promise<void> {
    const coordinator = await this.coordinator.ended;
    expect(coordinator.code, coordinator.stderr).toBe(0);
    for (const { ended } of this.agents) {
      const { stderr } = await ended;
      expect(stderr).not.toMatch(/^ {4}at /mu);
    }
  }
}
