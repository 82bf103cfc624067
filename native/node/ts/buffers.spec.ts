import { afterAll, describe, expect, test } from 'vitest';
import { allocateBuffers, bufferPlace, nodeOfBuffer } from './buffers.js';
import { DataGenerator } from './generator.js';
import { shutdown } from './shared-engine.js';
import { outcome, withEngine } from './testing.js';

afterAll(shutdown);

describe('allocating buffers', () => {
  test.each([
    [1, 1, 1],
    [100, 1000, 512],
    [7, 65_537, 4096],
    [3, 1024 ** 2, 2 * 1024 ** 2],
  ])(
    '%s buffers of %s bytes at multiples of %s are zeroed, apart from each other and can be filled',
    async (count, bytes, alignment) => {
      const buffers = await allocateBuffers({ count, bytes, alignment });
      expect(buffers).toHaveLength(count);
      for (const buffer of buffers) {
        expect(buffer).toHaveLength(bytes);
        expect(bufferPlace(buffer).alignment).toBeGreaterThanOrEqual(alignment);
        expect(buffer.every((byte) => byte === 0)).toBe(true);
      }
      const generator = new DataGenerator({ size: 2 ** 40 });
      await Promise.all(buffers.map((buffer) => generator.fillChunk(buffer)));
      expect(await generator.verify(Buffer.concat(buffers))).toEqual({ faults: [], cutShort: false });
    },
  );

  test('a node may be asked for, and its lanes then fill the buffer', async () => {
    const [buffer] = await allocateBuffers({ bytes: 3_000_000, node: 0 });
    expect(buffer && nodeOfBuffer(buffer.subarray(5))).toBe(0);
    await withEngine(async (engine) => {
      const generator = new DataGenerator({ size: 2 ** 30, engine });
      expect(buffer && (await generator.fillChunk(buffer))).toBe(3_000_000);
      expect(buffer && (await generator.verify(buffer))).toMatchObject({ faults: [] });
    });
  });

  test.each([
    ['no buffer', { count: 0, bytes: 1 }],
    ['too many buffers', { count: 65_537, bytes: 1 }],
    ['no byte', { bytes: 0 }],
    ['half a byte', { bytes: 0.5 }],
    ['an alignment that is no power of two', { bytes: 1, alignment: 3000 }],
    ['an alignment above 2^30', { bytes: 1, alignment: 2 ** 31 }],
    ['a node below 0', { bytes: 1, node: -1 }],
  ])('%s is a RangeError', async (_, wrong) => {
    await expect(allocateBuffers(wrong)).rejects.toBeInstanceOf(RangeError);
  });

  test('more than memory has room for is an error with a code', async () => {
    expect(await outcome(allocateBuffers({ count: 1000, bytes: 2 ** 40 }))).toBe('SEEDSTORM_E_OUT_OF_MEMORY');
  });
});
