/** `seedstorm agent`: the service that does the work, one per node. */
import { Agent } from '@seedstorm/agent';
import type { Command } from 'commander';
import { parseAddress, parseIp, usualAddress } from '../address.js';
import { argument, durationOption } from '../arguments.js';
import { evidenceOf, evidenceOption } from '../evidence.js';
import { logLine, onOrphaned, onSignal, orphanGraceMs } from '../service-process.js';
import { readToken, usualTokenFileName } from '../token.js';
import { version } from '../version.js';
import { addEngineFlags, type EngineFlags, engineOptions } from './engine-flags.js';

interface Options extends EngineFlags {
  readonly coordinator: string;
  readonly tokenFile?: string;
  readonly name?: string;
  readonly joinTimeout: number;
  readonly evidence?: string;
  readonly listenAddress?: string;
}

/** Adds the command. */
export function addAgentCommand(program: Command): void {
  const command = program
    .command('agent')
    .summary('the service that does the work, one per node')
    .description(
      'Joins a coordinator and does what it is told, until it is dismissed. SIGINT or SIGTERM let it leave gracefully.',
    )
    .option('--coordinator <host:port>', 'where the coordinator listens', argument(parseAddress), usualAddress)
    .option('--token-file <file>', `what to show to the coordinator (default: ${usualTokenFileName})`)
    .option('--name <name>', "the agent's name, unique in the cluster (default: host name and process id)")
    .addOption(evidenceOption())
    .option(
      '--listen-address <ip>',
      'where other agents reach it in network stages (default: the address by which it reaches the coordinator)',
      argument(parseIp),
    )
    .addOption(durationOption('--join-timeout <duration>', 'how long to wait for the coordinator to answer', '60s'));
  addEngineFlags(command)
    .addHelpText(
      'after',
      '\nExamples:\n  $ seedstorm agent --coordinator node-1:7070 --token-file ~/.seedstorm/token\n  $ seedstorm agent --coordinator node-1:7070 --reserve-cores 2 --memory strict',
    )
    .action(serve);
}

async function serve(options: Options): Promise<void> {
  const { coordinator, tokenFile, name, joinTimeout, evidence, listenAddress, ...engine } = options;
  const token = readToken(tokenFile, { create: false });
  const agent = new Agent({
    coordinator,
    token,
    version,
    joinTimeoutMs: joinTimeout,
    engine: engineOptions(engine),
    log: logLine,
    ...(name === undefined ? {} : { name }),
    ...evidenceOf(evidence),
    ...(listenAddress === undefined ? {} : { listenAddress }),
  });
  onSignal((signal) => agent.leave(signal));
  // The coordinator of a local run clears up and dismisses us; if it is gone too, nobody will.
  onOrphaned(() => agent.orphaned(orphanGraceMs));
  await agent.serve();
}
