/**
 * Where runs and agents leave notes for each other on a target, beside the data: files in a folder of ours, or objects below
 * the prefix. Must not know what the notes say.
 */
import { constants } from 'node:fs';
import { type FileHandle, open, readdir, readFile, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { SeedstormError } from '@seedstorm/errors';
import { listS3Notes, putS3Note, readS3Note, removeS3Note, type S3Sink } from '@seedstorm/native';
import type { S3Target, Target } from '@seedstorm/proto';
import { makeOwnFolder, targetPaths } from './file-target.js';
import { s3Target } from './s3-target.js';

/** Longer ones are none of ours. */
const maxNoteBytes = 4096;

/** The notes in one place. */
export interface Notes {
  /** The place, as people write it. */
  readonly where: string;
  /** Names of the notes; none where there never was one. */
  names(): Promise<string[]>;
  /** What a note says; undefined when it is not there. */
  read(name: string): Promise<string | undefined>;
  /** Writes a note, or writes it anew; all agents see it when this resolves, as far as their clients do not remember. */
  write(name: string, text: string): Promise<void>;
  /** Removes a note that may be gone. */
  remove(name: string): Promise<void>;
  /** Removes what held the notes, if there are none left. */
  tidy(): Promise<void>;
}

/** The places of a target. */
export interface Places {
  /** Where notes are written: to all of them. */
  readonly written: readonly Notes[];
  /** Where what was written must be seen, if all is well: each way to the target. */
  readonly seen: readonly Notes[];
}

/**
 * The places of a target for the notes of a folder.
 * @throws SeedstormError MESSAGE_INVALID when the target has none, or names what it must not.
 */
export function placesOf(target: Target | undefined, folder: string): Places {
  if (target?.kind?.$case === 'file') {
    const notes = targetPaths(target.kind.value).map((path) => new FolderNotes(path, folder));
    return { written: notes, seen: notes };
  }
  if (target?.kind?.$case === 's3') {
    const store = target.kind.value;
    // Endpoints are addresses of one store: what is written through one is seen through all.
    const notes = store.endpoints.map((endpoint) => new StoreNotes({ ...store, endpoints: [endpoint] }, folder));
    return { written: notes.slice(0, 1), seen: notes };
  }
  throw new SeedstormError({ code: 'SEEDSTORM_E_MESSAGE_INVALID', what: 'notes need files or objects' });
}

/** Files in a folder of ours, in a path of the target. */
class FolderNotes implements Notes {
  readonly #folder: string;

  constructor(
    readonly where: string,
    private readonly name: string,
  ) {
    this.#folder = join(where, name);
  }

  /** Listing a folder makes a client ask its server again. */
  names(): Promise<string[]> {
    return readdir(this.#folder).catch(() => []);
  }

  async read(name: string): Promise<string | undefined> {
    const text = await readFile(join(this.#folder, name), 'utf8').catch(() => undefined);
    return text === undefined || text.length > maxNoteBytes ? undefined : text;
  }

  async write(name: string, text: string): Promise<void> {
    const file = await this.#open(name);
    try {
      await file.write(text, 0);
      await file.truncate(Buffer.byteLength(text));
      // So that other hosts see it.
      await file.sync();
    } finally {
      await file.close();
    }
  }

  async remove(name: string): Promise<void> {
    await unlink(join(this.#folder, name)).catch(() => {});
  }

  async tidy(): Promise<void> {
    await rmdir(this.#folder).catch(() => {});
  }

  /** The folder may have gone between two calls, with the note of another run. */
  async #open(name: string): Promise<FileHandle> {
    const { O_CREAT, O_NOFOLLOW, O_WRONLY } = constants;
    for (let attempt = 1; ; attempt++) {
      const file = join(await makeOwnFolder(this.where, this.name), name);
      try {
        return await open(file, O_WRONLY | O_CREAT | O_NOFOLLOW, 0o644);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || attempt === 10) throw error;
      }
    }
  }
}

/** Objects below the target's prefix. What a store cannot say is an error, never taken for nothing. */
class StoreNotes implements Notes {
  readonly where: string;
  readonly #sink: S3Sink;

  constructor(
    target: S3Target,
    private readonly folder: string,
  ) {
    this.#sink = s3Target(target);
    const prefix = target.prefix.replace(/^\/|\/$/gu, '');
    this.where = `s3://${target.bucket}/${prefix} at ${target.endpoints[0] ?? ''}`;
  }

  names(): Promise<string[]> {
    return listS3Notes(this.#sink, this.folder);
  }

  read(name: string): Promise<string | undefined> {
    return readS3Note(this.#sink, `${this.folder}/${name}`);
  }

  write(name: string, text: string): Promise<void> {
    return putS3Note(this.#sink, `${this.folder}/${name}`, text);
  }

  async remove(name: string): Promise<void> {
    await removeS3Note(this.#sink, `${this.folder}/${name}`).catch(() => {});
  }

  /** A store has no folders. */
  async tidy(): Promise<void> {}
}
