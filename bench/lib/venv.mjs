// A virtual environment of Python with exactly one package in it, under the git-ignored `target/`.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

function run(command, args) {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (status === 0) return;
  const why = error?.message ?? stderr.trim().split('\n').at(-1);
  throw new Error(`${command} ${args.join(' ')}: ${why}`);
}

/** The Python of an environment that has this package; makes it, or completes it, where needed. */
export function pythonWith(folder, requirement) {
  const python = join(folder, 'bin/python');
  if (!existsSync(python)) run('python3', ['-m', 'venv', folder]);
  // Says at once that it is there, without asking any index.
  run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', requirement]);
  return python;
}
