// Builds an example of a crate and says where it is, wherever cargo's target folder may be.
import { spawnSync } from 'node:child_process';

/** The path of a built example. */
export function buildExample(root, crate, example) {
  const args = ['build', '--release', '-p', crate, '--example', example, '--message-format=json-render-diagnostics'];
  const { status, stdout } = spawnSync('cargo', args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) throw new Error(`cargo ${args.join(' ')} ended with ${status}`);
  const messages = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  return messages.findLast(({ executable, target }) => executable && target.name === example).executable;
}
