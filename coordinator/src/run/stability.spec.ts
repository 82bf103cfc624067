import { describe, expect, test } from 'vitest';
import { Stability } from './stability.js';

describe('whether a stage is stable', () => {
  test('is not known before there is a whole window', () => {
    const stability = new Stability(0.02, 3000);
    stability.add(100);
    stability.add(100);
    expect([stability.variation, stability.reached]).toEqual([undefined, false]);
    stability.add(100);
    expect([stability.variation, stability.reached]).toEqual([0, true]);
  });

  test('is told by the last seconds only, as standard deviation over mean', () => {
    const stability = new Stability(0.1, 3000);
    for (const rate of [1, 900, 90, 100, 110]) stability.add(rate);
    expect(stability.variation).toBeCloseTo(Math.sqrt(200 / 3) / 100, 10);
    expect(stability.reached).toBe(true);
    stability.add(200);
    expect(stability.reached).toBe(false);
  });

  test('is looked at once a second after the ramp, until it is', () => {
    const stability = new Stability(0.02, 3000);
    const second = 1_000_000_000n;
    const rates = [100, 100, 100];
    const look = (nowNs: bigint): boolean => stability.look(nowNs, 5n * second, () => rates.shift() ?? 0);
    expect([look(5n * second), look(6n * second), look(6n * second + 1n), look(7n * second)]).toEqual(
      new Array(4).fill(false),
    );
    expect(look(8n * second)).toBe(true);
    expect([stability.sinceNs, rates.length, look(9n * second)]).toEqual([8n * second, 0, false]);
  });

  test('a stage in which nothing moves is not stable: it hangs', () => {
    const stability = new Stability(1, 3000);
    for (const rate of [0, 0, 0]) stability.add(rate);
    expect([stability.variation, stability.reached]).toEqual([undefined, false]);
  });
});
