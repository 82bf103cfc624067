// fio, as all benches have it: installed where that can be done, run once a measurement, its one job told.
import { spawn, spawnSync } from 'node:child_process';
import { installDebian } from '../../tools/setup.mjs';

function version() {
  const { status, stdout } = spawnSync('fio', ['--version'], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

/** fio's version; root on Debian gets it installed first. Undefined where it is not to be had. */
export async function fioVersion() {
  if (version() === undefined && process.getuid() === 0) {
    const hasApt = spawnSync('apt-get', ['--version']).status === 0;
    if (hasApt) await installDebian(['fio']);
  }
  return version();
}

/**
 * Runs fio with one job: what its JSON says of the job, and the CPU time of all its processes and threads in ns. The
 * job's own figures leave out the threads of the kernel that do its I/O, which are its own all the same.
 */
export async function runFio(options) {
  // `times` is the shell's: of itself, then of its children.
  const child = spawn('sh', ['-c', 'fio "$@" --output-format=json; echo; times', 'fio', ...options], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  for await (const text of child.stdout.setEncoding('utf8')) output += text;
  // Notes may come before the JSON.
  const [begin, end] = [output.indexOf('{'), output.lastIndexOf('\n}')];
  if (begin < 0 || end < begin) throw new Error(`fio said no JSON: ${output.trim() || 'nothing at all'}`);
  const [job] = JSON.parse(output.slice(begin, end + 2)).jobs;
  if (job.error !== 0) throw new Error(`fio ended with error ${job.error}`);
  const ofChildren = output.slice(end).trim().split('\n').at(-1);
  const seconds = [...ofChildren.matchAll(/(\d+)m([\d.]+)s/gu)].map(([, minutes, rest]) => minutes * 60 + Number(rest));
  return { job, cpuNs: seconds.reduce((sum, part) => sum + part, 0) * 1e9 };
}
