import { describe, expect, test, vi } from 'vitest';
import type { LostUnits } from '../ledger/index.js';
import { finding } from '../testing/messages.js';
import { causeOf, LateWrites, lateMessages } from './late-writes.js';

const lost = (agent: string, first: number, end: number) => ({
  allIndeterminate: (): LostUnits[] => [{ agent, first, end }],
  isSettled: () => true,
});

function found(late: LateWrites, generation: number): (string | number)[][] {
  return late
    .expecting(generation)
    .map(({ agent, first, end, firstGeneration, endGeneration }) => [
      agent,
      first,
      end,
      firstGeneration,
      endGeneration,
    ]);
}

describe('late writes of lost agents', () => {
  test('what one of them wrote may be found under every later generation, and nothing older', () => {
    const late = new LateWrites();
    late.wrote(lost('a', 10, 20), 1, true);
    late.wrote(lost('b', 5, 6), 2, true);
    expect(found(late, 1)).toEqual([]);
    expect(found(late, 2)).toEqual([['a', 10, 20, 1, 2]]);
    expect(found(late, 3)).toEqual([
      ['a', 10, 20, 1, 2],
      ['b', 5, 6, 2, 3],
    ]);
  });

  test('what was never made durable may have left what was there before', () => {
    const late = new LateWrites();
    late.wrote(lost('a', 10, 20), 2, false);
    expect(found(late, 2)).toEqual([
      ['a', 10, 20, 0, 2],
      ['a', 10, 20, 1000, 65_000],
    ]);
    expect(found(late, 3)).toEqual([['a', 10, 20, 2, 3]]);
  });

  test('of a mixed stage it may be the generation of any overwrite, and where that was not durable that of the write too', () => {
    const late = new LateWrites();
    late.mixed(lost('a', 0, 8), 3, true);
    expect(found(late, 3)).toEqual([['a', 0, 8, 1000, 65_000]]);
    expect(found(late, 4)).toEqual([['a', 0, 8, 1000, 65_000]]);
    const unsynced = new LateWrites();
    unsynced.mixed(lost('a', 0, 8), 3, false);
    expect(found(unsynced, 3)).toEqual([
      ['a', 0, 8, 0, 4],
      ['a', 0, 8, 1000, 65_000],
    ]);
  });

  test('who is still waited for when the next stage begins may be lost in it, and stages that ended well are forgotten', () => {
    const late = new LateWrites();
    const waited: LostUnits[] = [];
    const asked = vi.fn((): LostUnits[] => []);
    const well = { allIndeterminate: asked, isSettled: () => true };
    late.wrote({ allIndeterminate: () => waited, isSettled: () => false }, 1, true);
    late.wrote(well, 2, true);
    late.wrote(lost('a', 4, 5), 3, true);
    asked.mockClear();
    waited.push({ agent: 'b', first: 0, end: 2 });
    expect(found(late, 4)).toEqual([
      ['b', 0, 2, 1, 2],
      ['a', 4, 5, 3, 4],
    ]);
    expect(asked).not.toHaveBeenCalled();
  });

  test('what one of them wrote of the generation at hand is wrong only where blocks were overwritten since', () => {
    const late = new LateWrites();
    late.wrote(lost('a', 10, 20), 1, true);
    late.mixed({ allIndeterminate: () => [], isSettled: () => false }, 1, true);
    expect(found(late, 1)).toEqual([['a', 10, 20, 1, 2]]);
  });

  test('with the data they are gone', () => {
    const late = new LateWrites();
    late.wrote(lost('a', 10, 20), 1, true);
    late.removed();
    expect(found(late, 2)).toEqual([]);
  });

  test('a lease is told of what concerns its own units, and a finding is laid to those who had its unit', () => {
    const late = new LateWrites();
    late.wrote(lost('b', 10, 20), 1, true);
    late.wrote(lost('a', 15, 30), 1, true);
    const all = late.expecting(2);
    expect(lateMessages(all, { first: 18, end: 24 })).toEqual([
      { units: { first: 18n, end: 20n }, firstGeneration: 1, endGeneration: 2 },
      { units: { first: 18n, end: 24n }, firstGeneration: 1, endGeneration: 2 },
    ]);
    expect(lateMessages(all, { first: 30, end: 40 })).toEqual([]);
    const causes = [12n, 17n, 30n].map((unit) => causeOf(all, finding({ unit })));
    expect(causes).toEqual(['possible late write by b', 'possible late write by a or b', undefined]);
    late.wrote(lost('c', 12, 13), 2, false);
    const cause = causeOf(late.expecting(2), finding({ unit: 12n }));
    expect(cause).toBe('possible late write by b, or perhaps never made durable by c');
  });
});
