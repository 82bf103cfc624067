import { isSeedstormError } from '@seedstorm/errors';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { contentBytes } from './content.js';
import { Engine } from './engine.js';
import { generateBuffer, generateInto } from './generate.js';
import { DataGenerator, type DataGeneratorOptions } from './generator.js';
import { shutdown } from './shared-engine.js';
import { outcome, twoNodes } from './testing.js';

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.start(twoNodes);
});
afterAll(() => Promise.all([engine.close(), shutdown()]));

const plain = {
  seed: 7n,
  namespace: '',
  unitBytes: 1_048_576,
  dedupMilli: 1000,
  windowBits: 0,
  compressMilli: 1000,
  codec: 'any',
  recordBytes: 131_072,
};

const size = 3_500_001;
const whole = contentBytes(plain, 0, 0n, size);

/** More than this the caller's thread does not fill by itself. */
const large = 2 * 1024 ** 2;

type Fill = (generator: DataGenerator, chunk: Uint8Array) => number | Promise<number>;
const fills: [string, Fill][] = [
  ['fillChunk', (generator, chunk) => generator.fillChunk(chunk)],
  ['fillChunkSync', (generator, chunk) => generator.fillChunkSync(chunk)],
];

/** All chunks of a generator through one buffer that is marked, not cleared, before each. */
async function bytesOf(generator: DataGenerator, chunkBytes: number, fill: Fill): Promise<Buffer> {
  const chunk = Buffer.alloc(chunkBytes + 3).subarray(3);
  const chunks: Buffer[] = [];
  while (!generator.isComplete) {
    chunk.fill(0xee);
    const filled = await fill(generator, chunk);
    chunks.push(Buffer.from(chunk.subarray(0, filled)));
    expect(chunk.subarray(filled).every((byte) => byte === 0xee)).toBe(true);
  }
  return Buffer.concat(chunks);
}

describe.each(fills)('a data generator, by %s', (_, fill) => {
  test.each([1_000_000, 65_537, 1_234_567, 3_500_000, 4_194_304])(
    'in chunks of %s bytes the stream is whole, with no stale byte and nothing past its end',
    async (chunkBytes) => {
      for (const options of [{ engine }, { engine, maxThreads: 1 }, { engine, numaMode: 1 }, {}]) {
        const generator = new DataGenerator({ size, seed: 7n, ...options });
        expect((await bytesOf(generator, chunkBytes, fill)).equals(whole)).toBe(true);
      }
    },
  );

  test('seek, reset and position: any place can be made again', async () => {
    const generator = new DataGenerator({ size: BigInt(size), seed: 7, engine });
    expect([generator.totalSize, generator.position, generator.isComplete]).toEqual([BigInt(size), 0n, false]);
    const chunk = Buffer.alloc(1000);
    for (const position of [0, 4095n, 1_048_570, size - 1000]) {
      generator.seek(position);
      expect(await fill(generator, chunk)).toBe(1000);
      expect(chunk.equals(whole.subarray(Number(position), Number(position) + 1000))).toBe(true);
      expect(generator.position).toBe(BigInt(position) + 1000n);
    }
    expect(generator.isComplete).toBe(true);
    expect(await fill(generator, chunk)).toBe(0);
    generator.reset();
    expect([generator.position, generator.isComplete]).toEqual([0n, false]);
  });

  test('it is complete exactly when no byte is left, however it got there', async () => {
    const generator = new DataGenerator({ size: 2n ** 63n, seed: 7n, engine });
    const chunk = Buffer.alloc(100);
    for (const left of [0n, 1n, 100n, 101n, 2n ** 52n, 2n ** 52n + 1n, 2n ** 62n]) {
      generator.seek(2n ** 63n - left);
      expect(generator.isComplete).toBe(left === 0n);
      await fill(generator, chunk);
      expect(generator.isComplete).toBe(left <= 100n);
      await fill(generator, chunk);
      expect(generator.isComplete).toBe(left <= 200n);
    }
  });

  test('a new seed holds from the position on', async () => {
    const generator = new DataGenerator({ size, seed: 6, engine });
    const bytes = Buffer.alloc(size);
    await fill(generator, bytes.subarray(0, 5000));
    generator.setSeed(7n);
    expect([generator.seed, generator.position]).toEqual([7n, 5000n]);
    await fill(generator, bytes.subarray(5000));
    const old = contentBytes({ ...plain, seed: 6n }, 0, 0n, 5000);
    expect(bytes.equals(Buffer.concat([old, whole.subarray(5000)]))).toBe(true);
  });

  test('shared memory, an odd place in a buffer and a buffer of no length are filled as they are', async () => {
    for (const length of [0, 1, 100_003, large + 1]) {
      const generator = new DataGenerator({ size, seed: 7n, engine });
      const bytes = new Uint8Array(new SharedArrayBuffer(length + 7), 5, length);
      expect(await fill(generator, bytes)).toBe(length);
      expect(whole.subarray(0, length).equals(bytes)).toBe(true);
    }
  });

  test.each([100, large])(
    'a detached buffer (of %s bytes before) is refused, and its bytes are not passed over',
    async (length) => {
      const generator = new DataGenerator({ size, seed: 7n, engine });
      const bytes = new Uint8Array(length);
      structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
      expect(await outcome((async () => await fill(generator, bytes))())).toBe('SEEDSTORM_E_INVALID_ARGUMENT');
      expect(generator.position).toBe(0n);
    },
  );

  test('what is no buffer of bytes is refused', async () => {
    const generator = new DataGenerator({ size, engine });
    for (const wrong of [new Float32Array(8), [1, 2], 'text', new DataView(new ArrayBuffer(8)), new ArrayBuffer(8)]) {
      const refused = outcome((async () => await Reflect.apply(fill, undefined, [generator, wrong]))());
      expect(await refused).toBe('SEEDSTORM_E_INVALID_ARGUMENT');
    }
    expect(generator.position).toBe(0n);
  });

  test('on a closed engine it says so', async () => {
    const other = await Engine.start(twoNodes);
    const generator = new DataGenerator({ size: 2 ** 30, engine: other });
    await other.close();
    expect(await outcome((async () => await fill(generator, Buffer.alloc(large)))())).toBe('SEEDSTORM_E_ENGINE_CLOSED');
  });
});

describe('a data generator', () => {
  test('calls may overlap, on one generator and on many: each chunk is its own part of the stream', async () => {
    const chunkBytes = large + 4097;
    const expected = contentBytes(plain, 0, 0n, 6 * chunkBytes);
    const generators = [engine, engine, undefined].map(
      (engine) => new DataGenerator({ size: 6 * chunkBytes - 5, seed: 7n, ...(engine && { engine }) }),
    );
    await Promise.all(
      generators.map(async (generator) => {
        const chunks = Array.from({ length: 6 }, () => Buffer.alloc(chunkBytes));
        const filled = await Promise.all(chunks.map((chunk) => generator.fillChunk(chunk)));
        expect(filled).toEqual([...Array(5).fill(chunkBytes), chunkBytes - 5]);
        const bytes = Buffer.concat(chunks.map((chunk, i) => chunk.subarray(0, filled[i])));
        expect(bytes.equals(expected.subarray(0, bytes.byteLength))).toBe(true);
      }),
    );
  });

  test('a chunk that is being filled keeps the seed that it was asked with', async () => {
    const generator = new DataGenerator({ size, seed: 7n });
    await shutdown();
    const bytes = Buffer.alloc(large);
    const filled = generator.fillChunk(bytes);
    generator.setSeed(8n);
    expect(await filled).toBe(large);
    expect(bytes.equals(whole.subarray(0, large))).toBe(true);
  });

  test('neighbouring seeds, and namespaces under one seed, share no sector of 512 bytes', async () => {
    const sectors = new Set<string>();
    const streams: Omit<DataGeneratorOptions, 'size'>[] = [
      { seed: 41n },
      { seed: 42n },
      { seed: 42n, namespace: 'a' },
      { seed: 42n, namespace: 'b' },
      { seed: 42n, namespace: 'c', compress: 4 },
    ];
    const bytes = 1024 ** 2;
    for (const stream of streams) {
      const buffer = await generateBuffer({ ...stream, size: bytes });
      for (let at = 0; at < bytes; at += 512) sectors.add(buffer.toString('latin1', at, at + 512));
    }
    expect(sectors.size).toBe((streams.length * bytes) / 512);
  });

  test('ratios are taken as they are written: 2.3 is not 2.299…', () => {
    const parameters = { ...plain, dedupMilli: 2300, windowBits: 12, compressMilli: 1100, codec: 'zstd' };
    const expected = contentBytes(parameters, 0, 0n, 10_000);
    for (const [dedup, compress] of [
      [2.3, 1.1],
      ['2.300', '1.1'],
    ] as const) {
      const bytes = Buffer.alloc(10_000);
      new DataGenerator({ size: 2 ** 40, seed: 7, dedup, compress, codec: 'zstd' }).fillChunkSync(bytes);
      expect(bytes.equals(expected)).toBe(true);
    }
  });

  test('without a seed each generator has its own, and tells it', () => {
    const [one, other] = [new DataGenerator({ size: 1 }), new DataGenerator({ size: 1 })];
    expect(one.seed).not.toBe(other.seed);
  });

  test('the event loop turns while small chunks are filled in a loop', async () => {
    const generator = new DataGenerator({ size: 2n ** 40n });
    const chunk = Buffer.alloc(65_536);
    let isOver = false;
    setTimeout(() => {
      isOver = true;
    }, 1);
    while (!isOver) await generator.fillChunk(chunk);
    expect(generator.isComplete).toBe(false);
  });

  test('one-shot: a new buffer, or into one', async () => {
    expect((await generateBuffer({ size, seed: 7n })).equals(whole)).toBe(true);
    const bytes = Buffer.alloc(size);
    await generateInto(bytes, { seed: 7n });
    expect(bytes.equals(whole)).toBe(true);
    expect(await generateBuffer({ size: 0 })).toHaveLength(0);
    await expect(generateBuffer({ size: 2n ** 62n })).rejects.toBeInstanceOf(RangeError);
  });

  test('the largest stream there is can be begun and ended', () => {
    const generator = new DataGenerator({ size: 2n ** 63n, unitBytes: 4096, dedup: 1000 });
    expect(generator.fillChunkSync(Buffer.alloc(5))).toBe(5);
    generator.seek(2n ** 63n - 2n);
    expect(generator.fillChunkSync(Buffer.alloc(5))).toBe(2);
    expect(generator.isComplete).toBe(true);
  });

  test.each<[string, object]>([
    ['size below 0', { size: -1 }],
    ['half a byte', { size: 1.5 }],
    ['no number', { size: Number.NaN }],
    ['a size that a number cannot hold exactly', { size: 2 ** 53 }],
    ['a size beyond the stream', { size: 2n ** 63n + 1n }],
    ['a unit of 0', { unitBytes: 0 }],
    ['a unit of 1.5', { unitBytes: 1.5 }],
    ['no number of bytes in a unit', { unitBytes: Number.NaN }],
    ['a unit that is no multiple of 4096', { unitBytes: 5000 }],
    ['a unit above 1 GiB', { unitBytes: 2 ** 30 + 4096 }],
    ['dedup below 1', { dedup: 0.999 }],
    ['endless dedup', { dedup: Number.POSITIVE_INFINITY }],
    ['dedup above its window', { dedup: 4097, windowUnits: 4096 }],
    ['a ratio with four decimals', { dedup: 1.0001 }],
    ['a ratio that is a word', { compress: 'two' }],
    ['a window that is no power of two', { windowUnits: 1000 }],
    ['a window of half a unit', { windowUnits: 0.5 }],
    ['a window above 2^32', { windowUnits: 2 ** 33 }],
    ['compression below 1', { compress: 0.5 }],
    ['compression above 100', { compress: 100.001 }],
    ['a codec that nobody knows', { codec: 'zip' }],
    ['a record of another size', { recordBytes: 1000 }],
    ['a seed below 0', { seed: -1 }],
    ['a seed of more than 64 bits', { seed: 2n ** 64n }],
    ['a seed that a number cannot hold exactly', { seed: 2 ** 60 }],
    ['a namespace that is too long', { namespace: 'é'.repeat(128) }],
    ['no thread', { maxThreads: 0 }],
    ['half a NUMA node', { numaMode: 0.5 }],
    ['chunks of no byte', { chunkSize: 0 }],
  ])(
    '%s is a RangeError with a code and the valid range when the generator is made, before any byte is',
    (_, wrong) => {
      const thrown = caught(() => new DataGenerator({ size: 1000, ...wrong }));
      expect(thrown).toBeInstanceOf(RangeError);
      expect(isSeedstormError(thrown)).toBe(true);
      expect(thrown).toMatchObject({
        code: 'SEEDSTORM_E_INVALID_ARGUMENT',
        mend: expect.stringMatching(/\d|any, lz4/u),
      });
    },
  );

  test('a place outside the stream is a RangeError, and the position stays', () => {
    const generator = new DataGenerator({ size: 1000, seed: 7n });
    generator.seek(10);
    for (const position of [-1, 1001, 2n ** 63n + 1n, 0.5]) {
      expect(() => generator.seek(position)).toThrow(RangeError);
    }
    expect(() => generator.setSeed(-1n)).toThrow(RangeError);
    expect([generator.position, generator.seed]).toEqual([10n, 7n]);
  });

  test('a NUMA node without lanes is a RangeError that names those there are', async () => {
    const generator = new DataGenerator({ size: 2 ** 30, engine, numaMode: 5 });
    const refused = generator.fillChunk(Buffer.alloc(large));
    await expect(refused).rejects.toBeInstanceOf(RangeError);
    await expect(refused).rejects.toMatchObject({ mend: expect.stringContaining('0, 1') });
  });
});

describe('the engine that generators share', () => {
  test('is started once, also by many at the same time, and again after its end', async () => {
    for (let i = 0; i < 2; i++) {
      await shutdown();
      const bytes = Array.from({ length: 4 }, () => Buffer.alloc(large));
      await Promise.all(bytes.map((chunk) => new DataGenerator({ size, seed: 7n }).fillChunk(chunk)));
      expect(bytes.every((chunk) => chunk.equals(whole.subarray(0, large)))).toBe(true);
    }
    await Promise.all([shutdown(), shutdown()]);
  });

  test('a synchronous call in the time in which it is being started fills all the same', async () => {
    await shutdown();
    const generator = new DataGenerator({ size: 2 * large, seed: 7n });
    const first = Buffer.alloc(large);
    const filled = generator.fillChunk(first);
    const second = Buffer.alloc(large);
    expect(generator.fillChunkSync(second)).toBe(large);
    await filled;
    expect(Buffer.concat([first, second]).equals(contentBytes(plain, 0, 0n, 2 * large))).toBe(true);
  });
});

function caught(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    return error;
  }
}
