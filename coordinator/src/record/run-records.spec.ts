import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isSeedstormError } from '@seedstorm/errors';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { recordedContent, recordedId, runRecord } from '../testing/records.js';
import type { RunRecord } from './run-record.js';
import { maxDeleted, RunRecords } from './run-records.js';

let folder: string;
let records: RunRecords;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'seedstorm-records-'));
  records = new RunRecords(folder);
});
afterEach(() => rmSync(folder, { recursive: true }));

const id = recordedId;

function recordOf(runId: string, state: RunRecord['head']['state'] = 'kept'): RunRecord {
  return runRecord(
    {
      runId,
      state,
      content: { ...recordedContent, seed: 2n ** 64n - 1n },
      target: { kind: 'block', device: '/dev/loop7', offsetBytes: 0, sync: 'range', engine: 'auto' },
      unitsWritten: 24,
    },
    {
      writers: [{ agent: 'a', host: 'h' }],
      ranges: [
        [0, 16, 0, 1100, 1200],
        [24, 32, 0, 1100, 1300],
      ],
      indeterminate: [[8, 16]],
    },
  );
}

/** What reading the record of the run is told. */
async function told(runId = id): Promise<string> {
  try {
    await records.read(runId);
  } catch (error) {
    if (isSeedstormError(error)) return `${error.code} ${error.what}`;
    throw error;
  }
  return 'nothing';
}

describe('the record of a run', () => {
  test('is read as it was written, to the last digit of its seed', async () => {
    await records.write(recordOf(id));
    expect(await records.read(id)).toEqual(recordOf(id));
  });

  test('is replaced whole, with nothing left beside it', async () => {
    await records.write(recordOf(id, 'writing'));
    await records.write(recordOf(id, 'kept'));
    expect((await records.read(id)).head.state).toBe('kept');
    expect(readdirSync(join(records.folder, id))).toEqual(['run.jsonl']);
  });

  test.for<[string, (text: string) => string]>([
    ['is empty', () => ''],
    ['is something else', () => 'hello\n'],
    ['is cut in its head', (text) => text.slice(0, 100)],
    ['is cut in its ranges', (text) => text.slice(0, -10)],
    ['is cut before its last line feed', (text) => text.slice(0, -1)],
    ['lacks its ranges', (text) => `${text.split('\n')[0]}\n`],
    ['goes on', (text) => `${text}{}\n`],
    ['is of a newer version', (text) => text.replace('"version":1', '"version":2')],
    ['has a key that nobody knows', (text) => text.replace('"format"', '"more":1,"format"')],
    ['is that of another run', (text) => text.replaceAll(id, '20261124-015237-0ac53caf')],
    ['has units outside of the data', (text) => text.replace('[24,32,', '[24,65,')],
    ['has units twice', (text) => text.replace('[24,32,', '[8,32,')],
    ['has no such writer', (text) => text.replace('[24,32,0,', '[24,32,1,')],
    ['has a seed past 2^64', (text) => text.replace(String(2n ** 64n - 1n), String(2n ** 64n))],
  ])('that %s is an error that names the file, and nothing is changed', async ([, damage]) => {
    await records.write(recordOf(id));
    const file = records.file(id);
    const damaged = damage(readFileSync(file, 'utf8'));
    writeFileSync(file, damaged);
    expect(await told()).toMatch(`SEEDSTORM_E_RUN_RECORD_UNREADABLE the record ${file} cannot be read: `);
    expect(readFileSync(file, 'utf8')).toBe(damaged);
  });

  test('that is a folder is an error, and one that is not there is told with what there is', async () => {
    mkdirSync(records.file(id), { recursive: true });
    expect(await told()).toMatch(/^SEEDSTORM_E_RUN_RECORD_UNREADABLE .*no regular file$/u);
    expect(await told('20200101-000000-00000000')).toMatch(
      `SEEDSTORM_E_RUN_RECORD_MISSING there is no record of run 20200101-000000-00000000 in ${records.folder}; the newest: ${id} (unreadable)`,
    );
  });

  test('cannot be one outside of the folder', async () => {
    writeFileSync(join(folder, 'run.jsonl'), 'secret');
    expect(await told('..')).toMatch(/^SEEDSTORM_E_RUN_RECORD_MISSING /u);
  });
});

describe('the list of records', () => {
  test('has the newest first, with those that cannot be read, and without what is none', async () => {
    const ids = ['20261124-015237-00000001', '20261125-015237-00000002', '20261123-015237-00000003'];
    for (const each of ids) await records.write(recordOf(each));
    writeFileSync(records.file('20261125-015237-00000002'), 'hello');
    mkdirSync(join(records.folder, 'notes'));
    const listed = await records.list();
    expect(listed.map(({ runId, head }) => `${runId} ${head?.state}`)).toEqual([
      '20261125-015237-00000002 undefined',
      '20261124-015237-00000001 kept',
      '20261123-015237-00000003 kept',
    ]);
    expect(listed[0]?.error?.code).toBe('SEEDSTORM_E_RUN_RECORD_UNREADABLE');
  });

  test('forgets the oldest runs whose data is deleted, and no other', async () => {
    const idOf = (n: number): string => `20261124-015237-${n.toString(16).padStart(8, '0')}`;
    for (let n = 0; n < maxDeleted + 3; n++) await records.write(recordOf(idOf(n), n === 1 ? 'kept' : 'deleted'));
    await records.prune();
    const left = new Set(readdirSync(records.folder));
    expect([0, 1, 2, 3].map((n) => left.has(idOf(n)))).toEqual([false, true, false, true]);
    expect(left.size).toBe(maxDeleted + 1);
  });
});
