// Runs programs in the guest as a user does: free, under taskset, or in a cpuset of a control group.
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';

const timeoutMs = 60_000;

/** Runs a command line to its end. */
export function run(program, ...args) {
  return new Promise((resolve) => {
    const options = { timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: 2 ** 24 };
    execFile(program, args, options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : error.code, signal: error?.signal ?? null, stdout, stderr });
    });
  });
}

/** Runs the built command, behind a restriction if one is given. */
export function seedstorm(args, restriction = []) {
  return run(...restriction, 'node', 'cli/dist/main.js', ...args);
}

/** What the kernel says of the lanes and buffers of an engine, started behind a restriction if one is given. */
export async function lanesOf(options, restriction = []) {
  const { code, signal, stdout, stderr } = await run(
    ...restriction,
    'node',
    'guest/lanes.mjs',
    JSON.stringify(options),
  );
  if (code !== 0) throw new Error(`lanes.mjs ended with ${code ?? signal}: ${stderr}`);
  return JSON.parse(stdout);
}

/** Restricts a command line to these CPUs. */
export function taskset(cpus) {
  return ['taskset', '-c', cpus];
}

/** Restricts it to these CPUs, and to memory of these nodes, by a control group of version 2. */
export function cgroup2(cpus, nodes) {
  const root = mounted('cgroup2', 'rw');
  writeFileSync(`${root}/cgroup.subtree_control`, '+cpuset');
  return inGroup(`${root}/${cpus}`, cpus, nodes);
}

/** The same by one of version 1. A kernel gives the controller to one of the two only. */
export function cgroup1(cpus, nodes) {
  return inGroup(`${mounted('cgroup', 'cpuset')}/${cpus}`, cpus, nodes);
}

/** Lets a command line use so many CPUs' worth of time and no more, by a control group of version 2. */
export function cpuQuota(cpus) {
  const root = mounted('cgroup2', 'rw');
  writeFileSync(`${root}/cgroup.subtree_control`, '+cpu');
  const folder = `${root}/quota-${cpus}`;
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/cpu.max`, `${cpus * 100_000} 100000`);
  return startedIn(folder);
}

function mounted(type, options) {
  const folder = `/tmp/${type}`;
  if (!existsSync(folder)) {
    mkdirSync(folder);
    execFileSync('mount', ['-t', type, '-o', options, type, folder]);
  }
  return folder;
}

function inGroup(folder, cpus, nodes) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/cpuset.cpus`, cpus);
  writeFileSync(`${folder}/cpuset.mems`, nodes);
  return startedIn(folder);
}

/** What starts a command line as a member of a control group. */
function startedIn(folder) {
  return ['sh', '-c', `echo $$ >${folder}/cgroup.procs && exec "$@"`, 'sh'];
}
