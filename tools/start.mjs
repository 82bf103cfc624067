// `npm start`: sets up what is missing, then runs the main job, examples/quickstart.yaml, with three agents. What
// follows `npm start --` goes to `seedstorm run`.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { root, setup } from './setup.mjs';

process.stderr.write('Seedstorm: set-up (Debian packages, npm packages, native engine, TypeScript)\n');
await setup();
const more = process.argv.slice(2);
const plan = more.some((argument) => /\.ya?ml$/u.test(argument)) ? [] : [join(root, 'examples/quickstart.yaml')];
const agents = more.includes('--agents') ? [] : ['--agents', '3'];
const child = spawn(process.execPath, [join(root, 'cli/dist/main.js'), 'run', ...plan, ...agents, ...more], {
  stdio: 'inherit',
});
// Ctrl-C reaches the whole process group: the command ends its run gracefully, and this waits for it.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => signal === 'SIGTERM' && child.kill(signal));
child.on('close', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)));
