/** Looks at what a layout of files needs of a file system beside its room: an inode for each file. */
import { statfs } from 'node:fs/promises';
import { SeedstormError } from '@seedstorm/errors';
import type { Findings } from './findings.js';

/** Whether the file system of a folder has an inode for each of `wanted` new files. */
export async function checkInodes(path: string, wanted: bigint, findings: Findings): Promise<void> {
  const { files, ffree } = await statfs(path, { bigint: true });
  // A file system of no files makes inodes as it needs them.
  if (files === 0n || ffree >= wanted) return;
  findings.error(
    new SeedstormError({
      code: 'SEEDSTORM_E_SPACE',
      what: `${path} has inodes for ${ffree} more files; the plan makes ${wanted}`,
      mend: 'remove files there, or use fewer and larger files (target.files)',
    }),
  );
}
