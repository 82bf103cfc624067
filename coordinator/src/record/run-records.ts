/**
 * The records of runs in a coordinator's data folder, each a file of its own that is only ever replaced whole: whoever reads it,
 * also after a power cut, sees one state or the next. Files that are none of its records are left alone.
 */
import { constants } from 'node:fs';
import { chmod, mkdir, open, readdir, rename, rmdir, unlink } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { isSeedstormError, SeedstormError } from '@seedstorm/errors';
import { runIdPattern } from '../plan/schema-stages.js';
import { type RecordHead, type RunRecord, readHead, readRanges, recordText } from './run-record.js';

/** Longer files are no records: a million ranges are 60 MB. */
const maxRecordBytes = 256 * 1024 ** 2;
/** The first line is a few kB, and more where a target has many paths. */
const maxHeadBytes = 1024 ** 2;
/** Records of runs whose data is deleted, beyond which the oldest are removed. */
export const maxDeleted = 100;
/** Records in all, beyond which the oldest are removed, also of runs whose data is still there. */
export const maxRecords = 1000;
/** Runs that an error names. */
const maxNamed = 5;

const fileName = 'run.jsonl';
const textStartBytes = 4096;

/** The data folder where nobody names one. */
export const usualDataFolderName = '~/.seedstorm';

/** The data folder: as it is named, else that of the user. */
export function dataFolderOf(named: string | undefined): string {
  return named ?? join(homedir(), '.seedstorm');
}

/** A run that there is a record of, or a record that cannot be read. */
export interface ListedRun {
  readonly runId: string;
  readonly file: string;
  readonly head?: RecordHead;
  readonly error?: SeedstormError;
}

/** The records of one data folder. */
export class RunRecords {
  /** `dataFolder` is made when the first record is written. */
  constructor(private readonly dataFolder: string) {}

  /** Where all of them lie. */
  get folder(): string {
    return join(this.dataFolder, 'runs');
  }

  /** The file of a run's record. */
  file(runId: string): string {
    return join(this.folder, runId, fileName);
  }

  /**
   * The record of a run.
   * @throws SeedstormError RUN_RECORD_MISSING with the newest that there are, RUN_RECORD_UNREADABLE.
   */
  async read(runId: string): Promise<RunRecord> {
    const file = this.file(runId);
    const text = runIdPattern.test(runId) ? await readUpTo(file, maxRecordBytes) : undefined;
    if (text === undefined) throw await this.#missing(runId);
    const [first = '', second = '', ...rest] = text.split('\n');
    const head = readHead(first);
    if ('wrong' in head) throw unreadable(file, head.wrong);
    if (head.runId !== runId) throw unreadable(file, `it is that of run ${head.runId}`);
    if (rest.length !== 1 || rest[0] !== '')
      throw unreadable(file, 'it is cut short, or has more lines than it should');
    const ranges = readRanges(second, head);
    if ('wrong' in ranges) throw unreadable(file, ranges.wrong);
    return { head, ranges };
  }

  /** Every run that there is a record of, the newest first. */
  async list(): Promise<ListedRun[]> {
    const names = await readdir(this.folder).catch(() => []);
    const runs: ListedRun[] = [];
    for (const runId of names
      .filter((name) => runIdPattern.test(name))
      .sort()
      .reverse()) {
      const listed = await this.#listed(runId);
      if (listed !== undefined) runs.push(listed);
    }
    return runs;
  }

  /**
   * Writes a record in place of the one that the run has, durably.
   * @throws SeedstormError RUN_RECORD_UNWRITABLE.
   */
  async write(record: RunRecord): Promise<void> {
    const file = this.file(record.head.runId);
    const folder = dirname(file);
    const fresh = `${file}.new`;
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const handle = await open(fresh, 'w', 0o600);
      try {
        await handle.writeFile(recordText(record));
        await handle.sync();
      } finally {
        await handle.close();
      }
      await chmod(fresh, 0o600);
      await rename(fresh, file);
      for (const made of [folder, this.folder]) await syncFolder(made);
    } catch (error) {
      await unlink(fresh).catch(() => {});
      const what = `the record ${file} cannot be written: ${(error as Error).message}`;
      throw new SeedstormError({ code: 'SEEDSTORM_E_RUN_RECORD_UNWRITABLE', what, cause: error });
    }
  }

  /** Removes the oldest records that are too many; one that cannot be read is none of them. */
  async prune(): Promise<void> {
    const known = (await this.list()).filter(({ head }) => head !== undefined);
    const deleted = known.filter(({ head }) => head?.state === 'deleted').slice(maxDeleted);
    const others = known.filter((run) => !deleted.includes(run)).slice(maxRecords);
    for (const { file } of [...deleted, ...others]) {
      await unlink(file).catch(() => {});
      // What somebody else put there stays.
      await rmdir(dirname(file)).catch(() => {});
    }
  }

  async #listed(runId: string): Promise<ListedRun | undefined> {
    const file = this.file(runId);
    try {
      const line = await readLine(file);
      if (line === undefined) return undefined;
      const head = readHead(line);
      return 'wrong' in head ? { runId, file, error: unreadable(file, head.wrong) } : { runId, file, head };
    } catch (error) {
      if (isSeedstormError(error)) return { runId, file, error };
      throw error;
    }
  }

  async #missing(runId: string): Promise<SeedstormError> {
    const known = await this.list();
    const named = known
      .slice(0, maxNamed)
      .map(({ runId: id, head }) => `${id} (${head === undefined ? 'unreadable' : headText(head)})`);
    const newest =
      named.length === 0
        ? 'there are none'
        : `the newest${known.length > named.length ? ` of ${known.length}` : ''}: ${named.join(', ')}`;
    const what = `there is no record of run ${runId.slice(0, 64)} in ${this.folder}; ${newest}`;
    return new SeedstormError({ code: 'SEEDSTORM_E_RUN_RECORD_MISSING', what });
  }
}

function headText({ name, state }: RecordHead): string {
  return name === undefined ? state : `${name}, ${state}`;
}

function unreadable(file: string, why: string): SeedstormError {
  return new SeedstormError({
    code: 'SEEDSTORM_E_RUN_RECORD_UNREADABLE',
    what: `the record ${file} cannot be read: ${why}`,
  });
}

/** The text of a file; undefined when there is none. */
async function readUpTo(file: string, maxBytes: number): Promise<string | undefined> {
  const handle = await openRegular(file);
  if (handle === undefined) return undefined;
  try {
    const { size } = await handle.stat();
    if (size > maxBytes) throw unreadable(file, `it is longer than ${maxBytes} bytes`);
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}

/** The first line of a file; undefined when there is none. */
async function readLine(file: string): Promise<string | undefined> {
  const handle = await openRegular(file);
  if (handle === undefined) return undefined;
  try {
    let bytes = textStartBytes;
    for (;;) {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(bytes), 0, bytes, 0);
      const end = buffer.subarray(0, bytesRead).indexOf('\n');
      if (end >= 0 || bytesRead < bytes || bytes >= maxHeadBytes) {
        return buffer.subarray(0, end >= 0 ? end : bytesRead).toString('utf8');
      }
      bytes *= 4;
    }
  } finally {
    await handle.close();
  }
}

/** A file that may be read; a device or a pipe in its place is none, and is not waited for. */
async function openRegular(file: string) {
  try {
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    if ((await handle.stat()).isFile()) return handle;
    await handle.close();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw unreadable(file, message);
  }
  throw unreadable(file, 'it is no regular file');
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
