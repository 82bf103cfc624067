/** A run record for specs: of 64 units, 8 to a file. Must not be imported by anything but specs. */
import type { RecordHead, RecordRanges, RunRecord } from '../record/run-record.js';

type FileRecord = Extract<RecordHead['target'], { kind: 'file' }>;

/** The run that it is of. */
export const recordedId = '20261124-015237-0ac53cae';

/** What its bytes are. */
export const recordedContent: RecordHead['content'] = {
  seed: 1n,
  namespace: 'n',
  unitBytes: 4096,
  dedupMilli: 1000,
  windowBits: 1,
  compressMilli: 1000,
  codec: 'any',
  recordBytes: 131_072,
};

/** How its units lie in objects. */
export const recordedLayout = { units: 64, unitBytes: 4096, unitsPerObject: 8, objects: 8 };

/** Where it is: files in a folder. */
export const recordedFiles: FileRecord = {
  kind: 'file',
  paths: ['/t'],
  runFolders: [`/t/${recordedId}`],
  scope: 'shared',
  shareTarget: false,
  direct: 'auto',
  sync: 'range',
  engine: 'auto',
  preallocate: false,
};

/** A record with these in its head, and these ranges. */
export function runRecord(head: Partial<RecordHead>, ranges: RecordRanges): RunRecord {
  return {
    head: {
      format: 'seedstorm-run-record',
      version: 1,
      runId: recordedId,
      software: '0.1.0',
      startedUnixMs: 1000,
      updatedUnixMs: 2000,
      state: 'kept',
      content: recordedContent,
      layout: recordedLayout,
      target: recordedFiles,
      blockBytes: 4096,
      grainUnits: 8,
      leaseUnits: 8,
      generation: 1,
      unitsWritten: 0,
      unitsFailed: 0,
      unitsIndeterminate: 0,
      ...head,
    },
    ranges,
  };
}
