/** `seedstorm run`: submits a plan, follows the run, shows its result, and ends with the matching exit code. */
import { dirname, resolve } from 'node:path';
import { agentsNeeded, parseAnyPlan, type ResolvedPlan, readPlanText } from '@seedstorm/coordinator';
import { parseInteger } from '@seedstorm/coordinator/units';
import { ExitCode, render, SeedstormError } from '@seedstorm/errors';
import { fromErrorDetail, type Plan, type RunResult } from '@seedstorm/proto';
import type { Command } from 'commander';
import { parseAddress } from '../address.js';
import { argument, durationOption } from '../arguments.js';
import { dataOption, refuseData } from '../data-folder.js';
import { evidenceOption } from '../evidence.js';
import { LocalCluster } from '../local-cluster.js';
import { brokenOff, OperatorClient } from '../operator-client.js';
import { Stop } from '../stop.js';
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
  readonly evidence?: string;
  readonly data?: string;
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
      'agents on this machine (default: as many as the plan needs); with --coordinator, agents to wait for',
      argument(parseInteger),
    )
    .addOption(durationOption('--agents-timeout <duration>', 'how long to wait for them', '60s'))
    .option('--coordinator <host:port>', 'run on the cluster of this coordinator', argument(parseAddress))
    .option('--token-file <file>', `what to show to that coordinator (default: ${usualTokenFileName})`)
    .addOption(evidenceOption())
    .addOption(dataOption())
    .option('--keep', 'leave the data on the target, whatever happens')
    .option('--json', 'one JSON object a line on stdout: events, progress once a second, then the result')
    .addHelpText(
      'after',
      '\nExamples:\n  $ seedstorm run examples/quickstart.yaml --agents 3\n  $ seedstorm run plan.yaml --coordinator node-1:7070 --agents 64 --json\n\nExit codes: 0 passed, 1 the run failed, 2 wrong usage or plan, 3 data was corrupt or I/O errors were let pass, 130 stopped.',
    )
    .action(run);
}

async function run(file: string, options: Options): Promise<void> {
  const { plan, agentsMinimum } = await readPlan(file);
  const isLocal = options.coordinator === undefined;
  const agents = Number(options.agents ?? (isLocal ? agentsMinimum : 0));
  if (isLocal) needAgents(agents);
  else if (options.evidence !== undefined) {
    throw new SeedstormError({
      code: 'SEEDSTORM_E_USAGE',
      what: '--evidence is for agents on this machine, and with --coordinator there are none',
      mend: 'give it to `seedstorm agent`',
    });
  }
  refuseData(options.data, options.coordinator);
  const { agentsTimeout: agentsTimeoutMs, keep = false } = options;
  const view = runView(options.json === true);
  const stop = new Stop(() => view.line('stopping: the run ends gracefully; once more ends everything at once'));
  let cluster: LocalCluster | undefined;
  let client: OperatorClient | undefined;
  try {
    cluster = isLocal ? await LocalCluster.start(agents, (line) => view.line(line), options) : undefined;
    client = cluster?.client ?? operatorClient(options);
    stop.atOnce = () => cluster?.kill();
    if (stop.asked) {
      process.exitCode = ExitCode.stopped;
      return;
    }
    const { runId, resolvedPlan } = await client.submit({ plan, agents, agentsTimeoutMs, keep });
    stop.atOnce = () => endAtOnce(cluster, view, resolvedPlan);
    const cancelled = stop.whenAsked.then(() => client?.cancel(runId));
    // A coordinator that cannot be told is one whose stream breaks off, which is told.
    cancelled.catch(() => {});
    const result = await follow(client, runId, view);
    if (options.json !== true) showResult(result);
    if (result.error !== undefined) process.stderr.write(`${render(fromErrorDetail(result.error))}\n`);
    process.exitCode = exitCodeOfRun(result);
  } finally {
    view.close();
    if (cluster === undefined) client?.close();
    else await cluster.stop();
    stop.close();
  }
}

/** The plan, read and checked here, so that a mistake is told before anything starts; and how many agents it needs. */
export async function readPlan(file: string): Promise<{ plan: Plan; agentsMinimum: number }> {
  const text = await readPlanText(file);
  const agentsMinimum = agentsNeeded(parseAnyPlan(text, file));
  return { plan: { text, fileName: file, folder: dirname(resolve(file)) }, agentsMinimum };
}

/**
 * Nobody else will bring agents to a cluster that this command starts.
 * @throws SeedstormError USAGE when it is to start none.
 */
export function needAgents(agents: number): void {
  if (agents > 0) return;
  throw new SeedstormError({
    code: 'SEEDSTORM_E_USAGE',
    what: 'without --coordinator, --agents is how many agents to start here, and none would do nothing',
    mend: 'give --agents at least 1, or leave it out',
  });
}

/** The cluster that --coordinator and --token-file name. */
export function operatorClient({ coordinator = '', tokenFile }: Pick<Options, 'coordinator' | 'tokenFile'>) {
  return new OperatorClient(coordinator, readToken(tokenFile, { create: false }));
}

async function follow(client: OperatorClient, runId: string, view: RunView): Promise<RunResult> {
  for await (const message of client.watch(runId)) {
    view.show(message);
    if (message.$case === 'result') return message.value;
  }
  throw brokenOff(runId, client.address);
}

/** Ends agents and coordinator in the middle of their work, and says what nobody removes now. */
function endAtOnce(cluster: LocalCluster | undefined, view: RunView, resolvedPlan: string): void {
  if (cluster === undefined) return;
  cluster.kill();
  const { target, earlier }: Pick<ResolvedPlan, 'target' | 'earlier'> = JSON.parse(resolvedPlan);
  view.close();
  if (earlier !== undefined) {
    view.line('ended at once');
    return;
  }
  if (target.kind === 'block') view.line(`ended at once; what the run wrote is left on ${target.device}`);
  if (target.kind === 'file') {
    view.line(`ended at once; what the run wrote may be left in ${target.runFolders.join(', ')}`);
  }
}

function exitCodeOfRun({ outcome, error }: RunResult): ExitCode {
  if (outcome === 'corrupt' || outcome === 'errors') return ExitCode.criterion;
  if (outcome === 'cancelled') return ExitCode.stopped;
  if (outcome === 'passed') return ExitCode.passed;
  const known: SeedstormError | undefined = error && fromErrorDetail(error);
  return known?.exitCode === ExitCode.usage ? ExitCode.usage : ExitCode.failed;
}
