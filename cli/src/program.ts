/** The command line as a whole: every command with its flags, from which help and the reference page are made. */
import { render, SeedstormError } from '@seedstorm/errors';
import { Command } from 'commander';
import { addAgentCommand } from './commands/agent.js';
import { addBenchCommand } from './commands/bench.js';
import { addCheckCommand } from './commands/check.js';
import { addContentCommand } from './commands/content.js';
import { addCoordinatorCommand } from './commands/coordinator.js';
import { addIdentifyCommand } from './commands/identify.js';
import { addRunCommand } from './commands/run.js';
import { addTopologyCommand } from './commands/topology.js';
import { version } from './version.js';

const commands = [
  addRunCommand,
  addCheckCommand,
  addCoordinatorCommand,
  addAgentCommand,
  addBenchCommand,
  addTopologyCommand,
  addContentCommand,
  addIdentifyCommand,
];

/** The program. It throws a CommanderError instead of ending the process. */
export function createProgram(): Command {
  const program = new Command('seedstorm')
    .description(
      'Qualifies storage at cluster scale: writes, reads back and verifies data that every agent can make or check from a seed.',
    )
    .version(version)
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(`${render(usageError(text))}\n`) })
    .addHelpText('after', '\nExample:\n  $ seedstorm run examples/quickstart.yaml --agents 3');
  for (const add of commands) add(program);
  for (const command of program.commands) command.copyInheritedSettings(program);
  return program;
}

/** What commander says of wrong usage, in the form of every other error. */
function usageError(text: string): SeedstormError {
  const [what = '', ...more] = text
    .replace(/^error: /u, '')
    .trim()
    .split('\n');
  const mend = more.join(' ').replace(/^\(|\)$/gu, '');
  return new SeedstormError({
    code: 'SEEDSTORM_E_USAGE',
    what,
    mend: mend === '' ? 'run the command with --help to see what it takes' : mend,
  });
}
