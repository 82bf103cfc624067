// fio as a generator: random buffers, made anew for each block, written nowhere.
import { runFio } from '../lib/fio.mjs';

const size = '1G';

/** Runs fio once: bytes per second, and the CPU time of its one job. */
export async function measureFio() {
  const options = ['--name=generate', '--ioengine=null', '--refill_buffers', '--rw=write', '--bs=1M', `--size=${size}`];
  const { write, usr_cpu: user, sys_cpu: system, job_runtime: runtimeMs } = (await runFio(options)).job;
  const cpuNs = ((user + system) / 100) * runtimeMs * 1e6;
  return { perSecond: write.io_bytes / (write.runtime / 1000), amount: write.io_bytes, cpuNs };
}
