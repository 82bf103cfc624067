import { isSeedstormError } from '@seedstorm/errors';
import { describe, expect, test } from 'vitest';
import { unixMs } from '../clock.js';
import { recordedFiles, runRecord } from '../testing/records.js';
import { EarlierWrite, earlierDataOf, leftOutText } from './earlier-data.js';
import type { RecordHead, RunRecord } from './run-record.js';

/** 64 units on two hosts, of which [0, 24) and [32, 64) are done and [8, 16) is in doubt. */
function recordOf(more: Partial<RecordHead> = {}, scope: 'shared' | 'local' = 'local'): RunRecord {
  return runRecord(
    { target: { ...recordedFiles, scope }, unitsWritten: 56, unitsIndeterminate: 8, ...more },
    {
      writers: [
        { agent: 'a', host: 'one' },
        { agent: 'b', host: 'two' },
      ],
      ranges: [
        [0, 24, 0, 1100, 1200],
        [32, 64, 1, 1300, 1400],
      ],
      indeterminate: [[8, 16]],
    },
  );
}

function codeOf(record: RunRecord): string {
  try {
    earlierDataOf(record);
  } catch (error) {
    if (isSeedstormError(error)) return error.code;
    throw error;
  }
  return 'none';
}

describe('data of an earlier run', () => {
  test('leaves out what is not known to be done and what is in doubt, and says how much', () => {
    expect(new EarlierWrite(recordOf(), []).unfinished()).toEqual([
      [8, 16],
      [24, 32],
    ]);
    const kept = leftOutText(recordOf());
    expect(kept).toMatch(
      /^16 of 64 units are left out, .*: 8 may be as they were before the last write: .*, 8 were not written$/u,
    );
    expect(leftOutText(recordOf({ state: 'writing' }))).toMatch(
      /8 were not known to be written when its coordinator ended/u,
    );
    expect(leftOutText(recordOf({ unitsFailed: 8 }))).toMatch(/: 8 failed with I\/O errors .*, 8 may be as they were/u);
  });

  test('tells who wrote a unit and when, and nothing of one in doubt', () => {
    const write = new EarlierWrite(recordOf(), []);
    const done = write.doneBy(40);
    expect(done?.agent).toBe('b');
    // The two clocks are read one after the other.
    expect(unixMs(done?.afterMs ?? 0)).toBeCloseTo(1300, -2);
    expect(unixMs(done?.beforeMs ?? 0)).toBeCloseTo(1400, -2);
    expect(write.doneBy(10)).toBeUndefined();
  });

  test('of a host goes to an agent there, whatever it is called; of a host without one, to nobody', () => {
    // One that has the name of a writer, and is on another host than that was.
    const write = new EarlierWrite(recordOf(), [
      { name: 'b', host: 'one' },
      { name: 'c', host: 'three' },
    ]);
    expect(write.writers()).toEqual([
      { first: 0, end: 8, agent: 'b', host: 'one' },
      { first: 16, end: 24, agent: 'b', host: 'one' },
      { first: 32, end: 64, agent: 'b on two', host: 'two' },
    ]);
    expect(write.absentHosts).toEqual(['two']);
    const shared = new EarlierWrite(recordOf({}, 'shared'), []);
    expect(shared.absentHosts).toEqual([]);
    expect(shared.writers().map(({ agent }) => agent)).toEqual(['a', 'a', 'b']);
  });

  test('that is gone, or that nobody knows, is refused', () => {
    expect(codeOf(recordOf())).toBe('none');
    for (const state of ['deleting', 'deleted'] as const) {
      expect(codeOf(recordOf({ state }))).toBe('SEEDSTORM_E_RUN_DATA_DELETED');
    }
    for (const doubt of ['overwritten', 'renaming'] as const) {
      expect(codeOf(recordOf({ doubt }))).toBe('SEEDSTORM_E_RUN_DATA_UNKNOWN');
    }
    const nothing = { ...recordOf(), ranges: { writers: [], ranges: [], indeterminate: [] } };
    expect(codeOf(nothing)).toBe('SEEDSTORM_E_RUN_DATA_UNKNOWN');
  });
});
