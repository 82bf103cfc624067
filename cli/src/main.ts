#!/usr/bin/env node
/** The `seedstorm` command. */
import { ExitCode, exitCodeOf, render } from '@seedstorm/errors';
import { Command, CommanderError } from 'commander';
import { addAgentCommand } from './commands/agent.js';
import { addBenchCommand } from './commands/bench.js';
import { addCheckCommand } from './commands/check.js';
import { addContentCommand } from './commands/content.js';
import { addCoordinatorCommand } from './commands/coordinator.js';
import { addRunCommand } from './commands/run.js';
import { addTopologyCommand } from './commands/topology.js';
import { version } from './version.js';

const program = new Command('seedstorm')
  .description(
    'Qualifies storage at cluster scale: writes, reads back and verifies data that every agent can make or check from a seed.',
  )
  .version(version)
  .showHelpAfterError('run `seedstorm --help`, or --help after a command')
  .exitOverride()
  .addHelpText('after', '\nExample:\n  $ seedstorm run examples/quickstart.yaml --agents 3');

for (const add of [
  addRunCommand,
  addCheckCommand,
  addCoordinatorCommand,
  addAgentCommand,
  addBenchCommand,
  addTopologyCommand,
  addContentCommand,
]) {
  add(program);
}
for (const command of program.commands) command.exitOverride();

// A reader of stderr that is gone must not end a run.
process.stderr.on('error', () => {});

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? ExitCode.passed : ExitCode.usage;
  } else {
    process.stderr.write(`${render(error)}\n`);
    process.exitCode = exitCodeOf(error);
  }
}
