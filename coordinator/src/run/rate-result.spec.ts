import { describe, expect, test } from 'vitest';
import { isKept } from './rate-result.js';

describe('a rate', () => {
  test('is kept when as much was done as was wanted, but for a hundredth', () => {
    const of = { wanted: 1000, seconds: 2, chance: 0 };
    expect([1979, 1980, 2100].map((done) => isKept({ ...of, done }))).toEqual([false, true, true]);
  });

  test('of random arrivals is kept as long as chance may have made so few of them', () => {
    const of = { wanted: 1000, seconds: 2, chance: 4 / Math.sqrt(1850) };
    expect([1750, 1850].map((done) => isKept({ ...of, done }))).toEqual([false, true]);
  });
});
