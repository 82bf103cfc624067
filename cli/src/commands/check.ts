/** `seedstorm check`: validates a plan, lets every agent look at the target, and says what would be done. */
import { formatBytes, parseInteger } from '@seedstorm/coordinator/units';
import { ExitCode, printable } from '@seedstorm/errors';
import {
  type CheckFinding,
  CheckLevel,
  type CheckPlanResponse,
  type InFlight,
  type PathChecked,
} from '@seedstorm/proto';
import type { Command } from 'commander';
import { parseAddress } from '../address.js';
import { argument, durationOption } from '../arguments.js';
import { dataOption, refuseData } from '../data-folder.js';
import { toJson } from '../json.js';
import { LocalCluster } from '../local-cluster.js';
import type { OperatorClient } from '../operator-client.js';
import { Stop } from '../stop.js';
import { usualTokenFileName } from '../token.js';
import { needAgents, operatorClient, readPlan } from './run.js';

interface Options {
  readonly agents?: bigint;
  readonly agentsTimeout: number;
  readonly coordinator?: string;
  readonly tokenFile?: string;
  readonly data?: string;
  readonly json?: boolean;
}

/** Adds the command. */
export function addCheckCommand(program: Command): void {
  program
    .command('check')
    .summary('says what a plan would do, and what speaks against it')
    .description(
      'Validates a plan and asks every agent to look at the target (rights, room, alignment, which device it is, other runs; whether all agents see the same one) and at its host (limits, asynchronous I/O, memory). Leaves nothing behind.',
    )
    .argument('<plan>', 'the plan, a YAML file')
    .option('--agents <n>', 'agents to wait for (default: as many as the plan needs)', argument(parseInteger))
    .addOption(durationOption('--agents-timeout <duration>', 'how long to wait for them', '60s'))
    .option(
      '--coordinator <host:port>',
      'ask the cluster of this coordinator instead of this machine',
      argument(parseAddress),
    )
    .option('--token-file <file>', `what to show to that coordinator (default: ${usualTokenFileName})`)
    .addOption(dataOption())
    .option('--json', 'the answer as JSON')
    .addHelpText('after', '\nExample:\n  $ seedstorm check examples/quickstart.yaml')
    .action(check);
}

async function check(file: string, options: Options): Promise<void> {
  const { plan, agentsMinimum } = await readPlan(file);
  const isLocal = options.coordinator === undefined;
  const agents = Number(options.agents ?? agentsMinimum);
  if (isLocal) needAgents(agents);
  refuseData(options.data, options.coordinator);
  const stop = new Stop(() => process.stderr.write('stopping\n'));
  let cluster: LocalCluster | undefined;
  let client: OperatorClient | undefined;
  try {
    cluster = isLocal
      ? await LocalCluster.start(agents, (line) => void process.stderr.write(`${line}\n`), options)
      : undefined;
    client = cluster?.client ?? operatorClient(options);
    stop.atOnce = () => cluster?.kill();
    const asked = client.check({ plan, agents, agentsTimeoutMs: options.agentsTimeout });
    const answer = await Promise.race([asked, stop.whenAsked]);
    if (answer === undefined) {
      asked.catch(() => {});
      process.exitCode = ExitCode.stopped;
      return;
    }
    if (options.json === true) {
      process.stdout.write(`${toJson({ ...answer, resolvedPlan: JSON.parse(answer.resolvedPlan) })}\n`);
    } else {
      show(answer);
    }
    const errors = [...answer.findings, ...answer.agents.flatMap((agent) => agent.checked?.findings ?? [])].filter(
      ({ level }) => level === CheckLevel.ERROR,
    );
    process.exitCode = errors.length > 0 ? ExitCode.failed : ExitCode.passed;
  } finally {
    if (cluster === undefined) client?.close();
    else await cluster.stop();
    stop.close();
  }
}

function pathText({
  path,
  freeBytes,
  neededBytes,
  directOffsetBytes,
  directMemoryBytes,
  directTold,
}: PathChecked): string {
  const parts = [`${path}: ${formatBytes(freeBytes, 'binary')} free`];
  if (neededBytes > 0n) parts.push(`${formatBytes(neededBytes, 'binary')} to be written`);
  if (directOffsetBytes > 0n) {
    const how = directTold ? 'as the kernel says' : 'as a trial showed';
    parts.push(`O_DIRECT wants multiples of ${directOffsetBytes} bytes, in memory of ${directMemoryBytes}, ${how}`);
  }
  return parts.join('; ');
}

const words: Partial<Record<CheckLevel, string>> = {
  [CheckLevel.INFO]: 'note',
  [CheckLevel.WARNING]: 'warning',
  [CheckLevel.ERROR]: 'error',
};

function show({ description, agents, inFlight, findings }: CheckPlanResponse): void {
  const lines = [...description, ...(inFlight === undefined ? [] : [inFlightText(inFlight, agents.length)]), ''];
  lines.push(...findings.flatMap((finding) => findingLines(finding, '')));
  for (const { name, host, checked } of agents) {
    const free =
      checked !== undefined && checked.freeBytes > 0n ? `, ${formatBytes(checked.freeBytes, 'binary')} free` : '';
    lines.push(`agent ${printable(name)} on ${printable(host)}: ${checked?.lanes ?? 0} lanes${free}`);
    for (const path of checked?.paths ?? []) lines.push(`  ${printable(pathText(path))}`);
    for (const finding of checked?.findings ?? []) lines.push(...findingLines(finding, '  '));
    const isFree = checked?.findings.every(({ level }) => level === CheckLevel.INFO);
    if (isFree === true) lines.push('  nothing speaks against it');
  }
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** What the whole cluster will have under way. */
function inFlightText({ lanes, queueDepth, operations, bytes }: InFlight, agents: number): string {
  const who = `${lanes} lanes of ${agents} agent${agents === 1 ? '' : 's'}`;
  return `load     ${who}, each with ${queueDepth} I/O${queueDepth === 1 ? '' : 's'} in flight: ${operations} I/Os, ${formatBytes(bytes, 'binary')} in the whole cluster`;
}

function findingLines({ level, detail }: CheckFinding, indent: string): string[] {
  const code = detail?.code === '' ? '' : ` ${detail?.code}`;
  return [
    printable(`${indent}${words[level] ?? level}${code}: ${detail?.what}`),
    printable(`${indent}  mend: ${detail?.mend}`),
  ];
}
