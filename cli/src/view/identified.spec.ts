import { describe, expect, test } from 'vitest';
import { IdentifiedFile, type IdentifiedRun } from './identified.js';

const unit = 4096n;

/** A run of one unit at this place of the file, which one of these units may be. */
function block(at: number, ...units: number[]): IdentifiedRun {
  const offset = BigInt(at) * unit;
  const shifts = units.map((each) => BigInt(each) * unit - offset);
  return { offset, length: unit, kind: 'content', seed: 1n, generation: 0, shifts };
}

function fileOf(...runs: IdentifiedRun[]): IdentifiedFile {
  const file = new IdentifiedFile(unit);
  for (const run of runs) file.add(run);
  return file;
}

describe('a file', () => {
  test('of units in their order is one run, wherever in the data it begins', () => {
    const file = fileOf(block(0, 7), block(1, 8), block(2, 9));
    expect(file.runs).toHaveLength(1);
    expect(file.begins).toBe(7n * unit);
    expect(file.lines()).toEqual([
      'offset  length  verdict   what',
      '     0  12 KiB  in place  units 7 to 9, generation 0, seed 1',
      '12 KiB in place',
    ]);
  });

  test('has the block misplaced that came from elsewhere, and not the rest of it', () => {
    const file = fileOf(block(0, 7), block(1, 3), block(2, 9), block(3, 10));
    expect(file.runs.map((run) => file.verdict(run))).toEqual(['in place', 'misplaced', 'in place']);
    expect(file.runs.map((run) => file.place(run)?.unit)).toEqual([7n, 3n, 9n]);
    expect(file.totals).toEqual({ 'in place': 3n * unit, misplaced: unit, zeros: 0n, foreign: 0n });
  });

  test('of duplicate units is in place when one of the places that each may have is its own', () => {
    const file = fileOf(block(0, 2, 5, 11), block(1, 6, 12), block(2, 7, 13, 20));
    expect(file.runs).toHaveLength(1);
    expect(file.runs[0]?.shifts).toEqual([5n * unit, 11n * unit]);
    expect(file.begins).toBe(5n * unit);
  });

  test('keeps what another generation, another seed and no seed left apart', () => {
    const zeros: IdentifiedRun = { offset: 3n * unit, length: unit, kind: 'zeros' };
    const foreign: IdentifiedRun = { offset: 4n * unit, length: unit, kind: 'foreign' };
    const file = fileOf(block(0, 0), { ...block(1, 1), generation: 2 }, { ...block(2, 2), seed: 9n }, zeros, foreign);
    expect(file.runs.map((run) => file.verdict(run))).toEqual(['in place', 'in place', 'in place', 'zeros', 'foreign']);
    expect(file.lines()).toContain('  4096   4 KiB  in place  unit 1, generation 2, seed 1');
  });

  test('that is all holes and noise keeps a limited number of runs, and counts the others', () => {
    const file = new IdentifiedFile(unit);
    for (let at = 0n; at < 20_000n; at++) {
      file.add({ offset: at * unit, length: unit, kind: at % 2n === 0n ? 'zeros' : 'foreign' });
    }
    expect(file.runs).toHaveLength(10_000);
    expect(file.unlisted).toBe(10_000);
    expect(file.begins).toBeUndefined();
    expect(file.lines().at(-2)).toBe('and 10000 more runs');
  });
});
