// Servers of other makes, as tests and benches start them: a program is ready when it has said so.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** Starts a program; resolves with its process and the match of `pattern` in a line of its `stream`. */
export async function startServer(name, program, words, { env = process.env, stream, pattern }) {
  const stdio = ['ignore', ...['stdout', 'stderr'].map((each) => (each === stream ? 'pipe' : 'ignore'))];
  const child = spawn(program, words, { env, stdio });
  const match = await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', () => reject(new Error(`${name} ended before it was ready`)));
    // Whatever else it says is read too, or it would wait.
    createInterface({ input: child[stream] }).on('line', (line) => {
      const found = pattern.exec(line);
      if (found !== null) resolve(found);
    });
  });
  return { child, match };
}
