/**
 * A file target as it comes over the wire, before anything is done with it: nothing in it may lead out of the folders
 * that the plan names. Must not know what is done there.
 */
import { lstat, mkdir } from 'node:fs/promises';
import { isAbsolute, join, normalize } from 'node:path';
import { SeedstormError } from '@seedstorm/errors';
import type { FileTarget } from '@seedstorm/proto';

/** One name, so that nothing in a message can lead out of the target. */
export const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/u;
/** A file target has no more paths. */
const maxPaths = 256;

/**
 * The folders of the target.
 * @throws SeedstormError MESSAGE_INVALID when one is not absolute, or is written with a detour.
 */
export function targetPaths({ paths }: FileTarget): readonly string[] {
  const isPlain = (path: string): boolean => isAbsolute(path) && !path.includes('\0') && normalize(path) === path;
  const wrong = paths.find((path) => !isPlain(path));
  if (wrong !== undefined || paths.length === 0 || paths.length > maxPaths) {
    throw new SeedstormError({
      code: 'SEEDSTORM_E_MESSAGE_INVALID',
      what: wrong === undefined ? `the target has ${paths.length} paths` : `${wrong} is no folder for a target`,
    });
  }
  return paths;
}

/**
 * The run's own folder in each of them.
 * @throws SeedstormError MESSAGE_INVALID also when it is not one name.
 */
export function runFolders(target: FileTarget): string[] {
  const { runFolder } = target;
  return targetPaths(target).map((path) => {
    if (namePattern.test(runFolder)) return join(path, runFolder);
    throw new SeedstormError({
      code: 'SEEDSTORM_E_MESSAGE_INVALID',
      what: `${join(path, runFolder)} is no folder for a run`,
    });
  });
}

/**
 * Makes a folder of ours in the target, which may be there already.
 * @throws SeedstormError TARGET_OUTSIDE when something else is in its place, such as a symbolic link.
 */
export async function makeOwnFolder(path: string, name: string): Promise<string> {
  const folder = join(path, name);
  await mkdir(folder).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
    if (!(await lstat(folder)).isDirectory()) {
      throw new SeedstormError({
        code: 'SEEDSTORM_E_TARGET_OUTSIDE',
        what: `${folder} is a symbolic link or a file, and Seedstorm's own folder is to be there`,
        mend: 'remove it',
      });
    }
  });
  return folder;
}
