import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { generateBuffer } from './generate.js';
import { DataGenerator } from './generator.js';
import { shutdown } from './shared-engine.js';
import { outcome } from './testing.js';

afterAll(shutdown);

const size = 7_500_001;
const chunkSize = 1_000_000;
const whole = await generateBuffer({ size, seed: 7n, compress: 2 });
const generator = (): DataGenerator => new DataGenerator({ size, seed: 7n, compress: 2, chunkSize });

describe('a generator as an async iterator', () => {
  test.each([chunkSize, 3_000_000])('in chunks of %s, each in a buffer of its own, it gives all', async (chunkSize) => {
    const chunks: Buffer[] = [];
    for await (const chunk of generator().chunks({ chunkSize })) chunks.push(chunk);
    expect(Buffer.concat(chunks).equals(whole)).toBe(true);
    expect(chunks[0]).toHaveLength(chunkSize);
  });

  test('one that is left early goes on where it was', async () => {
    const stream = generator();
    for await (const chunk of stream) {
      expect(chunk).toHaveLength(chunkSize);
      break;
    }
    expect(stream.position).toBe(BigInt(chunkSize));
    expect((await stream.getChunk(10)).equals(whole.subarray(chunkSize, chunkSize + 10))).toBe(true);
  });

  test('an aborted signal ends it with its reason', async () => {
    const abort = new AbortController();
    const chunks = generator().chunks({ signal: abort.signal });
    await chunks.next();
    abort.abort(new Error('enough'));
    await expect(chunks.next()).rejects.toThrow('enough');
  });

  test('after the end a chunk is empty', async () => {
    const stream = generator();
    stream.seek(size - 3);
    expect(await stream.getChunk()).toHaveLength(3);
    expect(await stream.getChunk()).toHaveLength(0);
    for (const wrong of [0, -1, 1.5]) await expect(stream.getChunk(wrong)).rejects.toBeInstanceOf(RangeError);
  });
});

describe('a generator as a stream of Node', () => {
  test.each([chunkSize, 3_000_000])('in chunks of %s it gives all, and ends', async (chunkSize) => {
    const chunks: Buffer[] = [];
    const sink = new Writable({
      write: (chunk, _, done) => {
        chunks.push(chunk);
        done();
      },
    });
    await pipeline(generator().readable({ chunkSize }), sink);
    expect(Buffer.concat(chunks).equals(whole)).toBe(true);
  });

  test('it is made no faster than it is read', async () => {
    const stream = generator();
    const readable = stream.readable();
    await new Promise((resolve) => readable.once('readable', resolve));
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(stream.position).toBeLessThanOrEqual(BigInt(2 * chunkSize));
    readable.destroy();
  });

  test('destroyed in the middle of a fill it closes without an error, and nothing comes after', async () => {
    const readable = generator().readable({ chunkSize: 4_000_000 });
    let chunks = 0;
    readable.on('data', () => {
      chunks += 1;
    });
    await new Promise((resolve) => setImmediate(resolve));
    const seen = chunks;
    readable.destroy();
    await new Promise((resolve) => readable.once('close', resolve));
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(chunks).toBe(seen);
  });

  test('an aborted signal destroys it', async () => {
    const abort = new AbortController();
    const readable = generator().readable({ signal: abort.signal });
    const sink = new Writable({
      write: (_chunk, _encoding, done) => {
        abort.abort();
        done();
      },
    });
    expect(await outcome(pipeline(readable, sink))).toBe('ABORT_ERR');
    expect(readable.destroyed).toBe(true);
  });

  test('an error of the engine comes out of it', async () => {
    const readable = new DataGenerator({ size: 2 ** 30, numaMode: 1000 }).readable({ chunkSize: 4_000_000 });
    await expect(readable.toArray()).rejects.toMatchObject({ code: 'SEEDSTORM_E_INVALID_ARGUMENT' });
  });
});
