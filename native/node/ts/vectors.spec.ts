import { afterAll, describe, expect, test } from 'vitest';
import { shutdown } from './shared-engine.js';
import { VectorGenerator } from './vectors.js';

afterAll(shutdown);

const length = (vector: Float32Array): number => Math.sqrt(vector.reduce((sum, number) => sum + number * number, 0));

describe('vectors', () => {
  test.each([false, true])('any can be had alone, and is the same among many (normalised: %s)', async (normalised) => {
    const vectors = new VectorGenerator({ dimension: 768, seed: 42n, normalised });
    const first = 2n ** 40n - 50n;
    const all = new Float32Array(768 * 300);
    await vectors.fill(all, first);
    for (const nth of [0, 1, 49, 50, 299]) {
      expect(vectors.vector(first + BigInt(nth))).toEqual(all.slice(nth * 768, (nth + 1) * 768));
    }
  });

  test('numbers are in [0, 1); normalised vectors have length 1', () => {
    const uniform = new VectorGenerator({ dimension: 1536, seed: 1 }).vector(9);
    expect(uniform.every((number) => number >= 0 && number < 1)).toBe(true);
    expect(uniform.reduce((sum, number) => sum + number, 0) / 1536).toBeCloseTo(0.5, 1);
    const row = new VectorGenerator({ dimension: 1536, seed: 1, normalised: true }).vector(9);
    expect(length(row)).toBeCloseTo(1, 5);
  });

  test('another seed or namespace is another stream', () => {
    const one = new VectorGenerator({ dimension: 4, seed: 1 }).vector(0);
    expect(new VectorGenerator({ dimension: 4, seed: 2 }).vector(0)).not.toEqual(one);
    expect(new VectorGenerator({ dimension: 4, seed: 1, namespace: 'x' }).vector(0)).not.toEqual(one);
  });

  test('what does not exist is a RangeError, and nothing is written', async () => {
    for (const dimension of [0, 1.5, -1, 2 ** 21]) {
      expect(() => new VectorGenerator({ dimension })).toThrow(RangeError);
    }
    const vectors = new VectorGenerator({ dimension: 3 });
    for (const [numbers, first] of [
      [4, 0],
      [3, -1],
      [3, 2n ** 50n],
      [30_001, 0],
      [30_000, 2n ** 50n],
    ] as const) {
      const destination = new Float32Array(numbers).fill(7);
      await expect(vectors.fill(destination, first)).rejects.toBeInstanceOf(RangeError);
      expect(destination.every((number) => number === 7)).toBe(true);
    }
  });
});
