#!/usr/bin/env node
/** The `seedstorm` command as a process: arguments in, exit code out. */
import { ExitCode, exitCodeOf, render } from '@seedstorm/errors';
import { CommanderError } from 'commander';
import { createProgram } from './program.js';

// A reader of stderr that is gone must not end a run. One of stdout has had enough, as `head` has: a command that can be
// stopped stops gracefully, the others are done.
process.stderr.on('error', () => {});
process.stdout.once('error', () => {
  process.stdout.on('error', () => {});
  if (!process.emit('SIGTERM', 'SIGTERM')) process.exit(ExitCode.passed);
});

try {
  const program = await createProgram(process.argv[2]);
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? ExitCode.passed : ExitCode.usage;
  } else {
    process.stderr.write(`${render(error)}\n`);
    process.exitCode = exitCodeOf(error);
  }
}
