/** The command line as a whole: every command with its flags, from which help and the reference page are made. */
import { render, SeedstormError } from '@seedstorm/errors';
import { Command } from 'commander';
import { version } from './version.js';

/** How each command is added to a program; what it needs is loaded only then. */
const adders: Record<string, () => Promise<(program: Command) => void>> = {
  run: async () => (await import('./commands/run.js')).addRunCommand,
  check: async () => (await import('./commands/check.js')).addCheckCommand,
  runs: async () => (await import('./commands/runs.js')).addRunsCommand,
  coordinator: async () => (await import('./commands/coordinator.js')).addCoordinatorCommand,
  agent: async () => (await import('./commands/agent.js')).addAgentCommand,
  bench: async () => (await import('./commands/bench.js')).addBenchCommand,
  topology: async () => (await import('./commands/topology.js')).addTopologyCommand,
  content: async () => (await import('./commands/content.js')).addContentCommand,
  identify: async () => (await import('./commands/identify.js')).addIdentifyCommand,
};

/**
 * The program, with all commands, or with the one of this name alone: an agent need not load what a run needs. It throws a
 * CommanderError instead of ending the process.
 */
export async function createProgram(only?: string): Promise<Command> {
  const program = new Command('seedstorm')
    .description(
      'Qualifies storage at cluster scale: writes, reads back and verifies data that every agent can make or check from a seed.',
    )
    .version(version)
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(`${render(usageError(text))}\n`) })
    .addHelpText('after', '\nExample:\n  $ seedstorm run examples/quickstart.yaml --agents 3');
  const wanted = Object.hasOwn(adders, only ?? '') ? [only ?? ''] : Object.keys(adders);
  for (const name of wanted) (await adders[name]?.())?.(program);
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
