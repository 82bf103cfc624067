import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SecondTotals } from './second-totals.js';

const second = (index: number, bytes: number, operations = 1) => ({
  index,
  bytes: BigInt(bytes),
  operations: BigInt(operations),
});
const sum = (values: readonly bigint[] = []): number => values.reduce((total, value) => total + Number(value), 0);

describe('the seconds of a stage', () => {
  test('agents add up by second, and each second says how many of them it covers', () => {
    const totals = new SecondTotals();
    const [a, b] = [{}, {}];
    totals.add(a, [second(0, 5), second(1, 10), second(2, 10)]);
    totals.add(b, [second(1, 7), second(2, 1)]);
    totals.add(a, [second(3, 2)]);
    expect(totals.result(0n, 0n)).toMatchObject({
      width: 1,
      bytes: [5n, 17n, 11n, 2n],
      agents: [1, 2, 2, 1],
      whole: 2,
      fastest: { at: 1, bytesPerSecond: 17 },
      slowest: { at: 2, bytesPerSecond: 11 },
    });
  });

  test('the first and the last second are no measure of fast and slow: they are cut', () => {
    const totals = new SecondTotals();
    totals.add({}, [second(0, 100), second(1, 1)]);
    const result = totals.result(0n, 0n);
    expect([result?.whole, result?.fastest, result?.slowest]).toEqual([0, undefined, undefined]);
    expect(new SecondTotals().result(0n, 0n)).toBeUndefined();
  });

  test('where nothing has bytes, seconds are ordered by operations', () => {
    const totals = new SecondTotals();
    totals.add({}, [second(0, 0), second(1, 0, 9), second(2, 0, 30), second(3, 0)]);
    expect(totals.result(0n, 0n)).toMatchObject({ fastest: { at: 2 }, slowest: { at: 1 } });
  });

  test('a stage longer than is kept gets coarser, and nothing of it is lost', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.nat(1000), { minLength: 1, maxLength: 60 }), { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 2, max: 9 }),
        (agents, limit) => {
          const totals = new SecondTotals(limit);
          for (const [i, bytes] of agents.entries()) {
            const own = { i };
            for (const [index, of] of bytes.entries()) totals.add(own, [second(index, of)]);
          }
          const result = totals.result(0n, 0n);
          expect(result?.bytes.length).toBeLessThanOrEqual(limit);
          expect(sum(result?.bytes)).toBe(agents.flat().reduce((total, of) => total + of, 0));
          expect(sum(result?.operations)).toBe(agents.flat().length);
          for (const covered of result?.agents ?? []) expect(covered).toBeLessThanOrEqual(agents.length);
        },
      ),
    );
  });

  test.each([
    ['a second that comes again', [second(3, 1)], 9],
    ['one that goes back', [second(5, 1), second(4, 1)], 9],
    ['one that is still to come', [second(30, 1)], 9],
    ['a count beyond any stage', [{ index: 5, bytes: 2n ** 60n, operations: 1n }], 9],
  ])('%s is refused', (_, seconds, elapsed) => {
    const totals = new SecondTotals();
    const agent = {};
    totals.add(agent, [second(3, 1)]);
    expect(() => totals.check(agent, seconds, elapsed)).toThrow(
      expect.objectContaining({ code: 'SEEDSTORM_E_MESSAGE_INVALID' }),
    );
  });
});
