import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { contentBytes } from './content.js';
import { Engine } from './engine.js';
import { content, outcome, twoNodes } from './testing.js';

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.start(twoNodes);
});
afterAll(() => engine.close());

const isStream = (bytes: Uint8Array, offset: bigint, generation = 0): boolean =>
  contentBytes(content, generation, offset, bytes.length).equals(bytes);

describe('filling the caller’s memory', () => {
  test.each([
    [0n, 1],
    [1n, 4095],
    [4095n, 70_001],
    [65_535n, 3_000_003],
    [2n ** 62n + 7n, 1_000_000],
    [2n ** 63n - 12_345n, 12_345],
  ])('from offset %s, %s bytes are the stream’s, and not one beside them is touched', async (offset, length) => {
    // The view begins at an odd place of a larger buffer.
    const around = Buffer.alloc(length + 20, 0xee);
    const bytes = around.subarray(7, 7 + length);
    await engine.fill(content, 5, offset, bytes);
    expect(isStream(bytes, offset, 5)).toBe(true);
    expect([...around.subarray(0, 7), ...around.subarray(7 + length)]).toEqual(Array(20).fill(0xee));
  });

  test('nothing to fill is no error', async () => {
    await engine.fill(content, 0, 0n, new Uint8Array(0));
    await engine.fill(content, 0, 2n ** 63n, Buffer.alloc(0));
  });

  test('small buffers that share node’s pool do not spill into each other', async () => {
    const buffers = Array.from({ length: 200 }, (_, i) => Buffer.allocUnsafe(1 + (i % 37)));
    await Promise.all(buffers.map((bytes, i) => engine.fill(content, 0, BigInt(i * 1000), bytes)));
    expect(buffers.every((bytes, i) => isStream(bytes, BigInt(i * 1000)))).toBe(true);
  });

  test('memory that worker threads share can be filled', async () => {
    const bytes = new Uint8Array(new SharedArrayBuffer(100_003), 3);
    await engine.fill(content, 0, 11n, bytes);
    expect(isStream(bytes, 11n)).toBe(true);
  });

  test('many fills in flight, of one engine and of several, all come out right', async () => {
    const others = await Promise.all([Engine.start(twoNodes), Engine.start(twoNodes)]);
    const engines = [engine, ...others];
    const buffers = Array.from({ length: 300 }, (_, i) => new Uint8Array(10_007 + i * 101));
    await Promise.all(buffers.map((bytes, i) => engines[i % 3]?.fill(content, i, BigInt(i) << 40n, bytes)));
    await Promise.all(others.map((other) => other.close()));
    expect(buffers.every((bytes, i) => isStream(bytes, BigInt(i) << 40n, i))).toBe(true);
  });

  test('memory that can be taken away under the lanes is refused', async () => {
    const resizable: ArrayBuffer = Reflect.construct(ArrayBuffer, [100, { maxByteLength: 1000 }]);
    expect(await outcome(engine.fill(content, 0, 0n, new Uint8Array(resizable)))).toBe('SEEDSTORM_E_INVALID_ARGUMENT');
  });

  test('a buffer that was transferred away is refused, and no byte is written', async () => {
    const bytes = new Uint8Array(100);
    const kept = structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
    expect(await outcome(engine.fill(content, 0, 0n, bytes))).toBe('SEEDSTORM_E_INVALID_ARGUMENT');
    expect(new Uint8Array(kept).every((byte) => byte === 0)).toBe(true);
  });

  test('a buffer that is transferred in the middle of a fill is told of, and not taken for filled', async () => {
    const bytes = new Uint8Array(8 << 20);
    const filled = outcome(engine.fill(content, 0, 0n, bytes));
    const kept = structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
    expect(await filled).toBe('SEEDSTORM_E_INVALID_ARGUMENT');
    expect(kept.byteLength).toBe(8 << 20);
  });

  test.each([
    ['numbers of two bytes', new Uint16Array(4)],
    ['a plain array', [1, 2, 3]],
    ['a string', 'bytes'],
  ])('%s are refused', async (_, wrong) => {
    const refused = Reflect.apply(engine.fill, engine, [content, 0, 0n, wrong]);
    expect(await outcome(refused)).toBe('SEEDSTORM_E_INVALID_ARGUMENT');
  });

  test.each([
    ['an end beyond the stream', 0, 2n ** 63n - 9n],
    ['a negative offset', 0, -1n],
    ['a generation beyond 16 bits', 65_536, 0n],
    ['half a generation', 0.5, 0n],
  ])('%s is refused before any byte is written', async (_, generation, offset) => {
    const bytes = Buffer.alloc(10, 0xee);
    expect(await outcome(engine.fill(content, generation, offset, bytes))).toBe('SEEDSTORM_E_INVALID_ARGUMENT');
    expect(bytes.every((byte) => byte === 0xee)).toBe(true);
  });
});
