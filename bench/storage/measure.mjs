// Measures one case of storage, with Seedstorm's worker or with fio, on the same files.
import { spawnSync } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { runFio } from '../lib/fio.mjs';
import { median } from '../lib/samples.mjs';
import { blocks, depth } from './cases.mjs';

/** The seed of the files that are only read; what is written has a seed of its own each time, which is fresh data. */
const laidSeed = 1;
const startUps = 5;
/** Rest before each case: the kernel finishes what the one before left to it, while a fresh process would be starting. */
const restMs = 250;

/** Measures what stands in `bench/storage/cases.mjs`. */
export class Measure {
  #worker;
  #engine;
  #seed = laidSeed;
  #fioStartNs = 0;

  /** `worker` is the native one; `engine` the way its I/O goes. */
  constructor(worker, engine) {
    this.#worker = worker;
    this.#engine = engine;
  }

  /** Lays out the files of a place: those that are read, and those that are written over. */
  async layOut(place) {
    for (const block of blocks)
      for (const use of ['read', 'write']) {
        const laid = await this.#ask(place, use, 'write', { block, shape: 'plain' }, laidSeed);
        if (laid.error) throw new Error(`${place.folder}: ${laid.error}`);
      }
  }

  /** CPU time that fio takes before and after its job, as a job of one block tells. */
  async learnFio(place) {
    const times = [];
    for (let time = 0; time < startUps; time++) {
      const file = join(place.folder, 'start-up');
      times.push((await runFio(this.#fioOptions('write', { name: '4KiB', bytes: 4096, fileBytes: 4096 }, file))).cpuNs);
      await rm(file);
    }
    this.#fioStartNs = median(times);
  }

  /** One measurement: `{ perSecond, amount, cpuNs, … }`, or `{ error }`. */
  async measure(place, { program, operation, block, shape }) {
    const folder = this.#folder(place, operation, block);
    await setTimeout(restMs);
    const sample =
      program === 'fio'
        ? await this.#fio(operation, block, join(folder, this.#worker.about.object))
        : await this.#ask(place, operation, operation === 'create' ? 'write' : operation, { block, shape });
    if (operation === 'create') {
      await rm(folder, { recursive: true, force: true });
      // The room of what was removed is free, and the removal no longer the next one's work, when that is durable.
      spawnSync('sync', ['--file-system', place.folder]);
    }
    return sample;
  }

  /** Where an operation's file is: both programs use the same, and nobody writes over what is verified. */
  #folder(place, operation, block) {
    const use = ['read', 'verify'].includes(operation) ? 'read' : operation;
    return join(place.folder, `${use}-${block.name}`);
  }

  #ask(place, use, operation, { block, shape }, seed) {
    const fresh = operation === 'write' ? (seed ?? ++this.#seed) : laidSeed;
    const folder = this.#folder(place, use, block);
    const numbers = [fresh, block.bytes, block.bytes, depth, block.fileBytes];
    return this.#worker.ask([operation, shape, ...numbers, this.#engine, folder].join(' '));
  }

  #fioOptions(operation, block, file) {
    const kind = {
      create: ['--rw=write', '--refill_buffers', '--end_fsync=1'],
      write: ['--rw=write', '--refill_buffers', '--end_fsync=1', '--overwrite=1'],
      read: ['--rw=read', '--readonly'],
    };
    return [
      '--name=storage',
      `--filename=${file}`,
      `--size=${block.fileBytes}`,
      `--bs=${block.bytes}`,
      `--iodepth=${depth}`,
      '--ioengine=io_uring',
      '--fixedbufs',
      '--registerfiles',
      '--direct=1',
      `--cpus_allowed=${this.#worker.about.pu}`,
      // Each run has data of its own.
      '--randrepeat=0',
      ...kind[operation],
    ];
  }

  async #fio(operation, block, file) {
    await mkdir(dirname(file), { recursive: true });
    try {
      const { job, cpuNs } = await runFio(this.#fioOptions(operation, block, file));
      const { io_bytes: amount, runtime, total_ios: operations } = operation === 'read' ? job.read : job.write;
      const perSecond = amount / (runtime / 1000);
      return { perSecond, amount, operations, cpuNs: Math.max(0, cpuNs - this.#fioStartNs) };
    } catch (error) {
      return { error: error.message };
    }
  }
}
