/**
 * A coordinator and agents as child processes, for runs on this machine. They are in process groups of their own, so
 * that Ctrl-C reaches the command alone and the stop is graceful; and they end by themselves when the command dies.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { printable, SeedstormError } from '@seedstorm/errors';
import { OperatorClient } from './operator-client.js';
import type { Ready } from './service-process.js';
import { stopSignals } from './stop-signals.js';
import { newToken, tokenVariable } from './token.js';

/** How long a child may take to come up, and to go. */
const startTimeoutMs = 30_000;
const stopTimeoutMs = 15_000;
const keptLines = 20;
/** Of those, how many tell of an error: the error and its mend. */
const lastLines = 2;

interface Child {
  readonly process: ChildProcess;
  readonly exited: Promise<void>;
  /** The last lines that it wrote to stderr. */
  readonly lines: string[];
}

/** A coordinator and agents on this machine. */
export class LocalCluster {
  readonly #agents: Child[] = [];
  #stopping = false;

  private constructor(
    readonly client: OperatorClient,
    private readonly coordinator: Child,
  ) {}

  /**
   * Starts a coordinator on a free port of loopback, and `agents` agents; `tell` is told of one that ends by itself, and
   * `evidence` is where the agents keep the bytes of faults, `data` where the coordinator keeps its records.
   */
  static async start(
    agents: number,
    tell: (line: string) => void,
    { evidence, data }: { readonly evidence?: string; readonly data?: string },
  ): Promise<LocalCluster> {
    const token = newToken();
    const kept = data === undefined ? [] : ['--data', data];
    const coordinator = startChild(['coordinator', '--listen', '127.0.0.1:0', ...kept], token);
    const ready = await readyOf(coordinator);
    const address = ready.ready === 'coordinator' ? ready.address : '';
    const cluster = new LocalCluster(new OperatorClient(address, token), coordinator);
    const flags = evidence === undefined ? [] : ['--evidence', evidence];
    for (let i = 1; i <= agents; i++) {
      const name = `agent-${i}`;
      cluster.#addAgent(startChild(['agent', '--coordinator', address, '--name', name, ...flags], token), name, tell);
    }
    return cluster;
  }

  /** Stops coordinator and agents, and waits until they are gone. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.client.close();
    const force = setTimeout(() => this.kill(), stopTimeoutMs);
    this.coordinator.process.kill('SIGTERM');
    await this.coordinator.exited;
    // It sent them away; one that it could not reach is told here.
    for (const agent of this.#agents) if (agent.process.exitCode === null) agent.process.kill('SIGTERM');
    await Promise.all(this.#agents.map((agent) => agent.exited));
    clearTimeout(force);
  }

  /** Ends everything at once. */
  kill(): void {
    for (const child of [this.coordinator, ...this.#agents]) child.process.kill('SIGKILL');
  }

  #addAgent(child: Child, name: string, tell: (line: string) => void): void {
    this.#agents.push(child);
    void child.exited.then(async () => {
      if (this.#stopping || child.process.pid === undefined) return;
      const { exitCode, signalCode } = child.process;
      const how = signalCode === null ? `code ${exitCode}` : signalCode;
      if (exitCode !== 0) tell(printable(`! ${name} ended with ${how}: ${child.lines.slice(-lastLines).join(' ')}`));
      // We saw the process end: the coordinator need not wait for its leases to run out.
      await this.client.declareGone(name, child.process.pid).catch(() => {});
    });
  }
}

function startChild(args: string[], token: string): Child {
  const main = fileURLToPath(new URL('./main.js', import.meta.url));
  const child = spawn(process.execPath, [main, ...args], {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: { ...process.env, [tokenVariable]: token },
  });
  const lines: string[] = [];
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    lines.push(...text.split('\n').filter((line) => line !== ''));
    lines.splice(0, lines.length - keptLines);
  });
  const exited = new Promise<void>((resolve) => {
    child.on('exit', () => resolve());
    child.on('error', () => resolve());
  });
  return { process: child, exited, lines };
}

async function readyOf(child: Child): Promise<Ready> {
  const answer = new Promise<Ready>((resolve) => child.process.once('message', (message) => resolve(message as Ready)));
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), startTimeoutMs);
  });
  const ready = await Promise.race([answer, late, child.exited.then(() => undefined)]);
  clearTimeout(timer);
  if (ready !== undefined) return ready;
  // A child is in our process group until it has one of its own: a Ctrl-C of just then ends it.
  if (stopSignals.some((name) => name === child.process.signalCode)) {
    throw new SeedstormError({ code: 'SEEDSTORM_E_STOPPED', what: 'stopped before the local coordinator was up' });
  }
  child.process.kill('SIGKILL');
  throw new SeedstormError({
    code: 'SEEDSTORM_E_INTERNAL',
    what: `a local coordinator did not start: ${child.lines.join(' ') || 'it said nothing'}`,
  });
}
