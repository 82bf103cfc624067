// A coordinator and one agent, as an administrator starts them.
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { seedstorm } from './run.mjs';

const plan = `
name: small
data: { size: 4MiB, unit: 64KiB }
target: { kind: memory }
stages: [{ write: {} }, { verify: {} }]
`;

/** Starts both, the agent with these flags; resolves when it has joined. */
export async function startCluster(...flags) {
  // All three take it from here.
  process.env.SEEDSTORM_TOKEN = randomUUID();
  const file = '/tmp/plan.yaml';
  writeFileSync(file, plan);
  const coordinator = start('coordinator');
  const agent = start('agent', ...flags);
  await agent.saying('joined the coordinator');
  return { coordinator, agent, run: () => seedstorm(['run', file, '--coordinator', '127.0.0.1:7070', '--json']) };
}

function start(...args) {
  const child = spawn('node', ['cli/dist/main.js', ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  return {
    pid: child.pid,
    isAlive: () => child.exitCode === null && child.signalCode === null,
    end: () => child.kill('SIGTERM'),
    saying: (text) =>
      new Promise((resolve, reject) => {
        child.on('close', (code, signal) => reject(new Error(`${args[0]} ended with ${code ?? signal}: ${said}`)));
        child.stderr.on('data', (more) => {
          said += more;
          if (said.includes(text)) resolve();
        });
      }),
  };
}
