import { spawn } from 'node:child_process';
import { describe, expect, test } from 'vitest';

const addon = JSON.stringify(new URL('../dist/index.js', import.meta.url).href);

/** What each script begins with. */
const head = `
  import { allocateBuffers, DataGenerator, Engine, Task } from ${addon};
  const content = { seed: 42n, namespace: '', unitBytes: 65536, dedupMilli: 1000, windowBits: 0, compressMilli: 1000,
    codec: 'any', recordBytes: 4096 };
  const spec = { operation: 'generate', content, generation: 0, units: 2 ** 40, unitsPerObject: 1024,
    blockBytes: 65536, sparedObjects: [], sink: 'null' };
  const options = { topology: { synthetic: 'numanode:2 core:2 pu:1' }, pin: false };
  const endless = async (engine) => {
    const task = await Task.prepare(engine, spec);
    task.addRange(1n, 0n, 2n ** 22n);
    task.beginAt(0n);
    return task;
  };
`;

interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
}

/** Runs a script in a process of its own, to its end. */
function run(script: string, ...flags: string[]): Promise<End> {
  return new Promise((resolve, reject) => {
    const args = [...flags, '--input-type=module', '--eval', head + script];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, output }));
  });
}

const well = (output = ''): End => ({ code: 0, signal: null, output });

describe('the end of a process that does not close its engine', { timeout: 30_000 }, () => {
  test('an idle engine keeps no process alive and crashes none', async () => {
    expect(await run('await Engine.start(options);')).toEqual(well());
  });

  test('exit in the middle of a fill', async () => {
    const script = `
      const engine = await Engine.start(options);
      for (let i = 0; i < 8; i++) void engine.fill(content, 0, 0n, Buffer.allocUnsafe(32 * 1024 ** 2));
      process.exit(0);`;
    for (let i = 0; i < 5; i++) expect(await run(script)).toEqual(well());
  });

  test('exit in the middle of fills of allocated buffers, and of the shared engine', async () => {
    const script = `
      const early = await allocateBuffers({ count: 4, bytes: 8 * 1024 ** 2 });
      const generator = new DataGenerator({ size: 2n ** 60n, seed: 1n });
      await generator.fillChunk(early[0]);
      const late = await allocateBuffers({ count: 4, bytes: 8 * 1024 ** 2 });
      for (const buffer of [...early, ...late]) void generator.fillChunk(buffer);
      process.exit(0);`;
    for (let i = 0; i < 3; i++) expect(await run(script)).toEqual(well());
  });

  test('the shared engine keeps no process alive, and a fill that is awaited does', async () => {
    const script = `
      const generator = new DataGenerator({ size: 2n ** 60n, seed: 1n });
      console.log(await generator.fillChunk(Buffer.alloc(32 * 1024 ** 2)));`;
    expect(await run(script)).toEqual(well('33554432\n'));
  });

  test('exit in the middle of a task, and of a bench', async () => {
    expect(await run(`const engine = await Engine.start(options); await endless(engine); process.exit(0);`)).toEqual(
      well(),
    );
    expect(
      await run(`const engine = await Engine.start(options); void engine.bench(content, 3600); process.exit(0);`),
    ).toEqual(well());
  });

  test('the end of the script with a task that nobody waits for', async () => {
    expect(await run('await endless(await Engine.start(options));')).toEqual(well());
  });

  test('an engine that is still starting', async () => {
    expect(await run('void Engine.start(options); process.exit(0);')).toEqual(well());
  });

  test('an error that nobody catches ends the process with its own message', async () => {
    const end = await run(`await Engine.start(options); throw new Error('mine');`);
    expect(end).toMatchObject({ code: 1, signal: null, output: expect.stringContaining('Error: mine') });
  });
});

describe('garbage collection in the middle of work', { timeout: 30_000 }, () => {
  test('allocated buffers that nobody references any more give their memory back', async () => {
    const script = `
      const bytes = 64 * 1024 ** 2;
      for (let i = 0; i < 40; i++) {
        const buffers = await allocateBuffers({ count: 2, bytes: bytes / 2 });
        buffers[1][5] = 1;
        buffers.length = 0;
        for (let turn = 0; turn < 3; turn++) {
          gc();
          await new Promise((resolve) => setImmediate(resolve));
        }
      }
      console.log(process.memoryUsage().rss < 12 * bytes);`;
    expect(await run(script, '--expose-gc')).toEqual(well('true\n'));
  });

  test('a chunk and a generator that only a fill knows live until it is done', async () => {
    const script = `
      const fill = () => [new DataGenerator({ size: 2n ** 60n, seed: 1n }).fillChunk(new Uint8Array(256 * 1024 ** 2))];
      const [filled] = fill();
      for (let i = 0; i < 20; i++) {
        gc();
        await new Promise((resolve) => setImmediate(resolve));
      }
      console.log(await filled);`;
    expect(await run(script, '--expose-gc')).toEqual(well('268435456\n'));
  });

  test('a buffer and an engine that only a fill knows live until it is done', async () => {
    const script = `
      const fill = async () => {
        const engine = await Engine.start(options);
        return [engine.fill(content, 0, 0n, new Uint8Array(256 * 1024 ** 2))];
      };
      const [filled] = await fill();
      for (let i = 0; i < 20; i++) {
        gc();
        await new Promise((resolve) => setImmediate(resolve));
      }
      await filled;
      gc();
      await new Promise((resolve) => setImmediate(resolve));
      console.log('filled');`;
    expect(await run(script, '--expose-gc')).toEqual(well('filled\n'));
  });

  test('a task that somebody waits for is not cancelled behind their back', async () => {
    const script = `
      const begin = async () => {
        const task = await Task.prepare(await Engine.start(options), spec);
        task.addRange(1n, 0n, 40_000n);
        task.beginAt(0n);
        task.finish();
        return [task.ended()];
      };
      const [ended] = await begin();
      for (let i = 0; i < 20; i++) {
        gc();
        await new Promise((resolve) => setImmediate(resolve));
      }
      await ended;
      console.log('ended');`;
    expect(await run(script, '--expose-gc')).toEqual(well('ended\n'));
  });

  test('engines that nobody closed end with their last reference', async () => {
    const script = `
      import { readdirSync } from 'node:fs';
      const threads = () => readdirSync('/proc/self/task').length;
      const start = async () => void (await Promise.all(Array.from({ length: 8 }, () => Engine.start(options))));
      await start();
      const before = threads();
      while (threads() > before - 32) {
        gc();
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      console.log('ended');`;
    expect(await run(script, '--expose-gc')).toEqual(well('ended\n'));
  });
});

describe('worker threads', { timeout: 30_000 }, () => {
  test('one that loads the addon may end while others use it', async () => {
    const script = `
      import { Worker } from 'node:worker_threads';
      const source = ${JSON.stringify(`${head}
        const engine = await Engine.start(options);
        await engine.fill(content, 0, 0n, new Uint8Array(1 << 20));
        await engine.close();`)};
      const engine = await Engine.start(options);
      const url = new URL('data:text/javascript,' + encodeURIComponent(source));
      const codes = await Promise.all(Array.from({ length: 4 }, () => new Promise((resolve) => {
        new Worker(url).on('exit', resolve);
      })));
      await engine.fill(content, 0, 0n, new Uint8Array(1 << 20));
      await engine.close();
      console.log(codes.join());`;
    expect(await run(script)).toEqual(well('0,0,0,0\n'));
  });

  test('one that is terminated in the middle of a fill takes no other down', async () => {
    const script = `
      import { Worker } from 'node:worker_threads';
      const source = ${JSON.stringify(`import { parentPort } from 'node:worker_threads'; ${head}
        const engine = await Engine.start(options);
        const fills = Array.from({ length: 8 }, () => engine.fill(content, 0, 0n, new Uint8Array(32 << 20)));
        parentPort.postMessage('busy');
        await Promise.all(fills);`)};
      const url = new URL('data:text/javascript,' + encodeURIComponent(source));
      for (let i = 0; i < 10; i++) {
        const worker = new Worker(url);
        await new Promise((resolve) => worker.on('message', resolve));
        await worker.terminate();
      }
      console.log('done');`;
    expect(await run(script)).toEqual(well('done\n'));
  });
});
