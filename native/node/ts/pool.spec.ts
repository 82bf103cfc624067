import { deflateSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { ObjectPool } from './pool.js';
import { shutdown } from './shared-engine.js';

afterAll(shutdown);

const blockBytes = 1024 ** 2;

describe('a pool of small objects', () => {
  test.each([
    [64, {}],
    [100, { compress: 4 }],
    [4096, { compress: 3 }],
    [10_000, {}],
  ])('objects of %s bytes are distinct, over many blocks', (bytes, options) => {
    const pool = new ObjectPool({ blockBytes, ...options });
    const objects = new Set<string>();
    for (let i = 0; i < 2000; i++) objects.add(pool.take(bytes).toString('latin1'));
    expect(objects.size).toBe(2000);
  });

  test('they are slices of one block, not copies, and stay as they are when the pool goes on', async () => {
    const pool = new ObjectPool({ blockBytes });
    const first = pool.take(5000);
    const second = pool.take(5000);
    expect(second.buffer).toBe(first.buffer);
    const kept = Buffer.from(first);
    for (let i = 0; i < 1000; i++) {
      pool.take(5000);
      if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(first.equals(kept)).toBe(true);
    expect(pool.take(5000).buffer).not.toBe(first.buffer);
  });

  test('objects compress as asked', () => {
    const pool = new ObjectPool({ blockBytes, compress: 4, codec: 'deflate', recordBytes: 4096 });
    let compressed = 0;
    for (let i = 0; i < 200; i++) compressed += deflateSync(pool.take(4096)).byteLength;
    expect((200 * 4096) / compressed).toBeGreaterThan(3.7);
    expect((200 * 4096) / compressed).toBeLessThan(4.3);
  });

  test('objects of a unit deduplicate as asked', () => {
    const options = { blockBytes, unitBytes: 65_536, dedup: 2, windowUnits: 16 };
    const pool = new ObjectPool(options);
    const objects = new Set<string>();
    for (let i = 0; i < 256; i++) objects.add(pool.take(65_536).toString('latin1'));
    // Blocks are whole windows, and windows share nothing.
    expect(objects.size).toBe(128);
  });

  test('any size up to a block can be had; others are RangeErrors', () => {
    const pool = new ObjectPool({ blockBytes });
    for (const bytes of [0, 1, 4095, blockBytes, 17]) expect(pool.take(bytes)).toHaveLength(bytes);
    for (const bytes of [-1, 0.5, Number.NaN, blockBytes + 1]) expect(() => pool.take(bytes)).toThrow(RangeError);
    for (const wrong of [0, 5000, 2 ** 31]) expect(() => new ObjectPool({ blockBytes: wrong })).toThrow(RangeError);
  });
});
