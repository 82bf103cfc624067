/** Looks at what a layout of files needs of a file system beside its room: names for the files, and direct I/O. */
import { statfs } from 'node:fs/promises';
import { SeedstormError } from '@seedstorm/errors';
import type { Readiness } from '@seedstorm/native';
import type { CheckTarget, FileTarget } from '@seedstorm/proto';
import { type Findings, room } from './findings.js';

/** Whether the file system has an inode for each file. */
export async function checkInodes({ path }: FileTarget, question: CheckTarget, findings: Findings): Promise<void> {
  if (question.bytes === 0n) return;
  const { files, ffree } = await statfs(path, { bigint: true });
  // A file system of no files makes inodes as it needs them.
  if (files === 0n || ffree >= question.objects) return;
  findings.error(
    new SeedstormError({
      code: 'SEEDSTORM_E_SPACE',
      what: `${path} has inodes for ${ffree} more files; the plan makes ${question.objects}`,
      mend: 'remove files there, or use fewer and larger files (target.files)',
    }),
  );
}

/** Whether direct I/O takes the plan's blocks, as far as the file system tells. */
export function checkAlignment(
  { path, direct }: FileTarget,
  { blockBytes }: CheckTarget,
  { directAlignment }: Readiness,
  findings: Findings,
): void {
  if (direct === 'false' || directAlignment === undefined) return;
  const { offsetBytes } = directAlignment;
  if (offsetBytes > 0 && blockBytes % BigInt(offsetBytes) === 0n) return;
  const what =
    offsetBytes === 0
      ? `the file system of ${path} has no direct I/O`
      : `direct I/O on ${path} takes multiples of ${room(offsetBytes)}, and blocks are ${room(blockBytes)}`;
  const mend =
    offsetBytes === 0 ? 'set target.io.direct to false' : `set target.io.block to a multiple of ${room(offsetBytes)}`;
  if (direct === 'true') findings.error(new SeedstormError({ code: 'SEEDSTORM_E_DIRECT_REFUSED', what, mend }));
  else findings.warning({ what: `${what}; buffered I/O will be used`, mend });
}
