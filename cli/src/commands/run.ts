/** `seedstorm run`: submits a plan, follows the run, shows its result, and ends with the matching exit code. */
import { dirname, resolve } from 'node:path';
import { parseInteger, parsePlan, readPlanText } from '@seedstorm/coordinator';
import { ExitCode, type SeedstormError } from '@seedstorm/errors';
import { fromErrorDetail, type Plan, type RunResult } from '@seedstorm/proto';
import type { Command } from 'commander';
import { argument, durationOption } from '../arguments.js';
import { LocalCluster } from '../local-cluster.js';
import { brokenOff, OperatorClient } from '../operator-client.js';
import { readToken, usualTokenFileName } from '../token.js';
import { showResult } from '../view/result.js';
import { type RunView, runView } from '../view/run-view.js';

interface Options {
  readonly agents?: bigint;
  readonly agentsTimeout: number;
  readonly coordinator?: string;
  readonly tokenFile?: string;
  readonly keep?: boolean;
  readonly json?: boolean;
}

/** Adds the command. */
export function addRunCommand(program: Command): void {
  program
    .command('run')
    .summary('runs a plan')
    .description(
      'Runs a plan: on a coordinator and agents that it starts on this machine, or on a cluster with --coordinator. Progress goes to stderr, the result to stdout. A run that fails or is stopped (Ctrl-C) removes what it wrote; files with faults are always kept.',
    )
    .argument('<plan>', 'the plan, a YAML file')
    .option(
      '--agents <n>',
      'agents on this machine (default: 1); with --coordinator, agents to wait for',
      argument(parseInteger),
    )
    .addOption(durationOption('--agents-timeout <duration>', 'how long to wait for them', '60s'))
    .option('--coordinator <host:port>', 'run on the cluster of this coordinator')
    .option('--token-file <file>', `what to show to that coordinator (default: ${usualTokenFileName})`)
    .option('--keep', 'leave the data on the target, whatever happens')
    .option('--json', 'one JSON object a line on stdout: events, progress once a second, then the result')
    .addHelpText(
      'after',
      '\nExamples:\n  $ seedstorm run examples/quickstart.yaml --agents 3\n  $ seedstorm run plan.yaml --coordinator node-1:7070 --agents 64 --json\n\nExit codes: 0 passed, 1 the run failed, 2 wrong usage or plan, 3 data was corrupt, 130 stopped.',
    )
    .action(run);
}

async function run(file: string, options: Options): Promise<void> {
  const plan = await readPlan(file);
  const view = runView(options.json === true);
  const agents = Number(options.agents ?? (options.coordinator === undefined ? 1n : 0n));
  const cluster = options.coordinator === undefined ? await LocalCluster.start(agents) : undefined;
  const client =
    cluster?.client ?? new OperatorClient(options.coordinator ?? '', readToken(options.tokenFile, { create: false }));
  const stop = new Stop(client, view, cluster);
  try {
    const { agentsTimeout: agentsTimeoutMs, keep = false } = options;
    const { runId } = await client.submit({ plan, agents, agentsTimeoutMs, keep });
    stop.canCancel(runId);
    const result = await follow(client, runId, view);
    if (options.json !== true) showResult(result);
    process.exitCode = exitCodeOfRun(result);
  } finally {
    view.close();
    stop.close();
    if (cluster === undefined) client.close();
    else await cluster.stop();
  }
}

/** The plan, read and checked here, so that a mistake is told before anything starts. */
export async function readPlan(file: string): Promise<Plan> {
  const text = await readPlanText(file);
  parsePlan(text, file);
  return { text, fileName: file, folder: dirname(resolve(file)) };
}

async function follow(client: OperatorClient, runId: string, view: RunView): Promise<RunResult> {
  for await (const message of client.watch(runId)) {
    view.show(message);
    if (message.$case === 'result') return message.value;
  }
  throw brokenOff(runId, client.address);
}

function exitCodeOfRun({ outcome, error }: RunResult): ExitCode {
  if (outcome === 'corrupt') return ExitCode.criterion;
  if (outcome === 'cancelled') return ExitCode.stopped;
  if (outcome === 'passed') return ExitCode.passed;
  const known: SeedstormError | undefined = error && fromErrorDetail(error);
  return known?.exitCode === ExitCode.usage ? ExitCode.usage : ExitCode.failed;
}

/** What signals do: the first one stops the run gracefully, the second one ends everything at once. */
class Stop {
  #runId: string | undefined;
  #asked = false;
  readonly #signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  readonly #handler = (): void => this.#signal();

  constructor(
    private readonly client: OperatorClient,
    private readonly view: RunView,
    private readonly cluster: LocalCluster | undefined,
  ) {
    for (const signal of this.#signals) process.on(signal, this.#handler);
  }

  /** The run is known: a signal that came before stops it now. */
  canCancel(runId: string): void {
    this.#runId = runId;
    if (this.#asked) this.#cancel(runId);
  }

  close(): void {
    for (const signal of this.#signals) process.off(signal, this.#handler);
  }

  #signal(): void {
    if (this.#asked) {
      this.cluster?.kill();
      process.exit(ExitCode.stopped);
    }
    this.#asked = true;
    this.view.line('stopping: the run ends gracefully and removes what it wrote; once more ends everything at once');
    if (this.#runId !== undefined) this.#cancel(this.#runId);
  }

  #cancel(runId: string): void {
    this.client.cancel(runId).catch(() => {});
  }
}
