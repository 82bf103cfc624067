import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IntervalMap, IntervalSet, type Range, unionUnits } from './intervals.js';
import { forAll } from './testing/check.js';

const SPACE = 40;

const range = fc
  .tuple(fc.nat(SPACE - 1), fc.integer({ min: 1, max: 12 }))
  .map(([first, length]): Range => [first, Math.min(SPACE, first + length)]);
/** Sets a range to a value, or takes its value away (undefined). */
const change = fc.record({ range, value: fc.option(fc.constantFrom('a', 'b', 'c'), { nil: undefined }) });

function unitsOf([first, end]: Range): number[] {
  return Array.from({ length: end - first }, (_, index) => first + index);
}

describe('an interval map', () => {
  it('agrees with an array of units after any changes, and keeps its entries sorted, apart and merged', () => {
    forAll(fc.tuple(fc.array(change, { maxLength: 30 }), range), 1000, ([changes, [first, end]]) => {
      const map = new IntervalMap<string>();
      const naive: (string | undefined)[] = Array.from({ length: SPACE });
      for (const { range: changed, value } of changes) {
        if (value === undefined) map.delete(...changed);
        else map.set(...changed, value);
        naive.fill(value, ...changed);
      }
      const expanded: (string | undefined)[] = Array.from({ length: SPACE });
      for (const entry of map.entries) expanded.fill(entry.value, entry.first, entry.end);
      expect(expanded).toEqual(naive);
      expect(map.units).toBe(naive.filter((value) => value !== undefined).length);
      for (const [index, entry] of map.entries.entries()) {
        expect(entry.first).toBeLessThan(entry.end);
        const next = map.entries[index + 1];
        if (next === undefined) continue;
        expect(entry.end).toBeLessThanOrEqual(next.first);
        if (entry.end === next.first) expect(entry.value).not.toBe(next.value);
      }

      const sliced = map.slice(first, end).flatMap((entry) => unitsOf([entry.first, entry.end]));
      const missing = map.gaps(first, end).flatMap(unitsOf);
      const asked = unitsOf([first, end]);
      expect(sliced).toEqual(asked.filter((unit) => naive[unit] !== undefined));
      expect(missing).toEqual(asked.filter((unit) => naive[unit] === undefined));
    });
  });

  it('does not accept what is no interval', () => {
    const map = new IntervalMap<string>();
    expect(() => map.set(3, 3, 'a')).toThrow('no interval: [3, 3)');
    expect(() => map.set(0, Number.NaN, 'a')).toThrow('no interval');
    expect(() => map.delete(0.5, 2)).toThrow('no interval');
  });
});

describe('an interval set', () => {
  it('says how many units were new, whatever overlaps', () => {
    forAll(fc.array(range, { maxLength: 30 }), 200, (ranges) => {
      const set = new IntervalSet();
      const naive = new Set<number>();
      for (const [first, end] of ranges) {
        const before = naive.size;
        for (const unit of unitsOf([first, end])) naive.add(unit);
        expect(set.add(first, end)).toBe(naive.size - before);
      }
      expect(set.units).toBe(naive.size);
      expect(unionUnits(ranges)).toBe(naive.size);
      expect(set.ranges.flatMap(unitsOf)).toEqual([...naive].sort((a, b) => a - b));
    });
  });
});
