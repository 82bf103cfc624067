import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { contentBytes } from './content.js';
import { Engine } from './engine.js';
import { DataGenerator, type DataGeneratorOptions } from './generator.js';
import { outcome, twoNodes } from './testing.js';

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.start(twoNodes);
});
afterAll(() => engine.close());

/** All chunks of a generator, one after the other, through one buffer that is not cleaned in between. */
async function chunksOf(generator: DataGenerator, chunkBytes: number): Promise<Buffer[]> {
  const chunk = Buffer.alloc(chunkBytes, 0xee);
  const chunks: Buffer[] = [];
  while (!generator.isComplete) {
    chunk.fill(0xee);
    const filled = await generator.fillChunk(chunk);
    chunks.push(Buffer.from(chunk.subarray(0, filled)));
    expect(chunk.subarray(filled).every((byte) => byte === 0xee)).toBe(true);
  }
  return chunks;
}

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

describe('a data generator', () => {
  test.each([1_000_000, 65_537, 3_500_000, 4_194_304])(
    'in chunks of %s bytes the stream is whole, with no stale byte and nothing past its end',
    async (chunkBytes) => {
      const size = 3_500_001;
      const generator = new DataGenerator(engine, { size, seed: 7n });
      const chunks = await chunksOf(generator, chunkBytes);
      expect(Buffer.concat(chunks).equals(contentBytes(plain, 0, 0n, size))).toBe(true);
      expect(chunks.at(-1)?.length).toBe(size % chunkBytes || chunkBytes);
    },
  );

  test('it tells where it is, ends, and begins again with the same bytes', async () => {
    const generator = new DataGenerator(engine, { size: 2_500_000n, seed: 7n });
    expect([generator.totalSize, generator.position, generator.isComplete]).toEqual([2_500_000n, 0n, false]);
    const first = Buffer.alloc(1_000_000);
    expect(await generator.fillChunk(first)).toBe(1_000_000);
    expect([generator.position, generator.isComplete]).toEqual([1_000_000n, false]);
    await generator.fillChunk(Buffer.alloc(1_000_000));
    expect(await generator.fillChunk(Buffer.alloc(1_000_000))).toBe(500_000);
    expect([generator.position, generator.isComplete]).toEqual([2_500_000n, true]);
    expect(await generator.fillChunk(Buffer.alloc(9))).toBe(0);
    generator.reset();
    expect([generator.position, generator.isComplete]).toEqual([0n, false]);
    const again = Buffer.alloc(1_000_000);
    await generator.fillChunk(again);
    expect(again.equals(first)).toBe(true);
  });

  test('calls may overlap: each chunk is its own part of the stream', async () => {
    const generator = new DataGenerator(engine, { size: 1_000_000, seed: 7n });
    const chunks = Array.from({ length: 11 }, () => Buffer.alloc(99_999));
    const filled = await Promise.all(chunks.map((chunk) => generator.fillChunk(chunk)));
    expect(filled).toEqual([...Array(10).fill(99_999), 10]);
    const bytes = Buffer.concat(chunks.map((chunk, i) => chunk.subarray(0, filled[i])));
    expect(bytes.equals(contentBytes(plain, 0, 0n, 1_000_000))).toBe(true);
  });

  test('nothing to make is complete at once', async () => {
    const generator = new DataGenerator(engine, { size: 0 });
    expect(generator.isComplete).toBe(true);
    expect(await generator.fillChunk(Buffer.alloc(1))).toBe(0);
  });

  test('the largest stream there is can be begun', async () => {
    const generator = new DataGenerator(engine, { size: 2n ** 63n, unitBytes: 4096, dedupMilli: 1_000_000 });
    expect(await generator.fillChunk(Buffer.alloc(5))).toBe(5);
  });

  test.each<[string, Partial<DataGeneratorOptions>]>([
    ['size below 0', { size: -1 }],
    ['half a byte', { size: 1.5 }],
    ['no number', { size: Number.NaN }],
    ['a size that a number cannot hold exactly', { size: 2 ** 53 }],
    ['a size beyond the stream', { size: 2n ** 63n + 1n }],
    ['a unit of 0', { unitBytes: 0 }],
    ['a unit of 1.5', { unitBytes: 1.5 }],
    ['no number of bytes in a unit', { unitBytes: Number.NaN }],
    ['a unit that is no multiple of 4096', { unitBytes: 5000 }],
    ['dedup below 1', { dedupMilli: 999 }],
    ['endless dedup', { dedupMilli: Number.POSITIVE_INFINITY }],
    ['compression below 1', { compressMilli: 500 }],
    ['a codec that nobody knows', { codec: 'zip' }],
    ['a record of another size', { recordBytes: 1000 }],
    ['a seed of more than 64 bits', { seed: 2n ** 64n }],
    ['a namespace that is too long', { namespace: 'é'.repeat(128) }],
  ])('%s is refused when the generator is made, before any byte is', (_, wrong) => {
    expect(() => new DataGenerator(engine, { size: 1000, ...wrong })).toThrow(
      expect.objectContaining({ code: 'SEEDSTORM_E_INVALID_ARGUMENT', mend: expect.stringMatching(/\w/u) }),
    );
  });

  test('on a closed engine it says so', async () => {
    const other = await Engine.start(twoNodes);
    const generator = new DataGenerator(other, { size: 1000 });
    await other.close();
    expect(await outcome(generator.fillChunk(Buffer.alloc(10)))).toBe('SEEDSTORM_E_ENGINE_CLOSED');
  });
});
