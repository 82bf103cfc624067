// fio as a generator: random buffers, made anew for each block, written nowhere.
import { spawn, spawnSync } from 'node:child_process';
import { installDebian } from '../../tools/setup.mjs';

const size = '1G';

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

/** Runs fio once: bytes per second, and the CPU time of its one job. */
export async function measureFio() {
  const job = ['--name=generate', '--ioengine=null', '--refill_buffers', '--rw=write', '--bs=1M', `--size=${size}`];
  const child = spawn('fio', [...job, '--output-format=json'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  for await (const text of child.stdout.setEncoding('utf8')) output += text;
  // Notes may come before the JSON.
  const [{ write, usr_cpu: user, sys_cpu: system, job_runtime: runtimeMs }] = JSON.parse(
    output.slice(output.indexOf('{')),
  ).jobs;
  const cpuNs = ((user + system) / 100) * runtimeMs * 1e6;
  return { perSecond: write.io_bytes / (write.runtime / 1000), amount: write.io_bytes, cpuNs };
}
