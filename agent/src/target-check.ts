/** Looks whether a target can be used, without changing it: existence, rights, room, O_DIRECT; of a store also its clock. */
import { constants } from 'node:fs';
import { access, open, stat, statfs } from 'node:fs/promises';
import { freemem } from 'node:os';
import { asSeedstormError, SeedstormError } from '@seedstorm/errors';
import { checkS3 } from '@seedstorm/native';
import {
  CheckLevel,
  type CheckTarget,
  type FileTarget,
  type S3Target,
  type TargetChecked,
  toErrorDetail,
} from '@seedstorm/proto';
import { s3Target } from './s3-target.js';

/** Room that should stay free beside the data: a quarter of it, at most this. A file system that is full to the brim is slow. */
const maxMarginBytes = 1024n ** 3n;
/** A third of what S3 bears: signatures are good for 15 minutes. */
const maxClockOffsetMs = 300_000;
/** Makes an unnamed file that is gone when it is closed (Linux; Node has no name for it). */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;

/** What this agent finds of a target. */
export async function checkTarget({ id, target, bytes }: CheckTarget, lanes: number): Promise<TargetChecked> {
  const checked: TargetChecked = { id, findings: [], freeBytes: 0n, device: '', lanes };
  const find = (level: CheckLevel, error: unknown): void => {
    checked.findings.push({ level, detail: toErrorDetail(error) });
  };
  try {
    if (target?.kind?.$case === 'file') await checkFolder(target.kind.value, bytes, checked, find);
    if (target?.kind?.$case === 's3') await checkBucket(target.kind.value, find);
    if (target?.kind?.$case === 'memory') checkMemory(target.kind.value.limitBytes, bytes, checked, find);
  } catch (error) {
    find(CheckLevel.ERROR, error);
  }
  return checked;
}

type Find = (level: CheckLevel, error: unknown) => void;

async function checkFolder(target: FileTarget, bytes: bigint, checked: TargetChecked, find: Find): Promise<void> {
  const { path } = target;
  const found = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'ENOENT') throw unusable(path, cause);
    throw new SeedstormError({
      code: 'SEEDSTORM_E_TARGET_MISSING',
      what: `the target folder ${path} does not exist`,
      cause,
    });
  });
  if (!found.isDirectory()) {
    throw new SeedstormError({ code: 'SEEDSTORM_E_TARGET_NOT_WRITABLE', what: `the target ${path} is not a folder` });
  }
  await access(path, constants.W_OK | constants.X_OK).catch((cause: NodeJS.ErrnoException) => {
    throw unusable(path, cause);
  });
  const { bavail, blocks, bsize } = await statfs(path, { bigint: true });
  checked.freeBytes = bavail * bsize;
  checked.device = String(found.dev);
  const margin = bytes / 4n < maxMarginBytes ? bytes / 4n : maxMarginBytes;
  // A file system of no size does not know how much room it has, as those in memory without a limit.
  if (blocks > 0n && checked.freeBytes < bytes + margin) {
    find(
      CheckLevel.ERROR,
      new SeedstormError({
        code: 'SEEDSTORM_E_SPACE',
        what: `${path} has ${room(checked.freeBytes)} free; the plan writes ${room(bytes)} there and needs ${room(bytes + margin)}`,
      }),
    );
  }
  await checkDirect(target, find);
}

/** Tries O_DIRECT on an unnamed file; where such files cannot be had, the run itself will find out. */
async function checkDirect({ path, direct }: FileTarget, find: Find): Promise<void> {
  if (direct === 'false') return;
  const unnamed = (flags: number): Promise<{ close(): Promise<void> }> =>
    open(path, O_TMPFILE | constants.O_RDWR | flags, 0o600);
  try {
    await (await unnamed(0)).close();
  } catch {
    return;
  }
  try {
    await (await unnamed(constants.O_DIRECT)).close();
  } catch (cause) {
    const what = `the file system of ${path} refuses O_DIRECT`;
    if (direct === 'true')
      find(CheckLevel.ERROR, new SeedstormError({ code: 'SEEDSTORM_E_DIRECT_REFUSED', what, cause }));
    else
      find(
        CheckLevel.WARNING,
        new SeedstormError({ code: 'SEEDSTORM_E_DIRECT_REFUSED', what: `${what}; buffered I/O will be used`, cause }),
      );
  }
}

/** Asks every endpoint for the bucket. */
async function checkBucket(target: S3Target, find: Find): Promise<void> {
  for (const endpoint of target.endpoints) {
    try {
      const offsetMs = await checkS3(s3Target({ ...target, endpoints: [endpoint] }));
      if (offsetMs === undefined || Math.abs(offsetMs) < maxClockOffsetMs) continue;
      const seconds = Math.round(Math.abs(offsetMs) / 1000);
      const what = `the clock of ${endpoint} is ${seconds} s ${offsetMs > 0 ? 'ahead of' : 'behind'} this agent's`;
      // Stores refuse requests that are signed 15 minutes off their own time.
      const mend = 'set the clocks right: a store refuses signatures that are too far from its own time';
      find(CheckLevel.WARNING, new SeedstormError({ code: 'SEEDSTORM_E_ACCESS_DENIED', what, mend }));
    } catch (error) {
      find(CheckLevel.ERROR, error);
    }
  }
}

function checkMemory(limitBytes: bigint, bytes: bigint, checked: TargetChecked, find: Find): void {
  checked.freeBytes = BigInt(freemem());
  const limit = limitBytes > 0n && limitBytes < checked.freeBytes ? limitBytes : checked.freeBytes;
  if (limit < bytes) {
    find(
      CheckLevel.WARNING,
      new SeedstormError({
        code: 'SEEDSTORM_E_SPACE',
        what: `this agent can keep ${room(limit)} in memory, the plan writes ${room(bytes)} over all agents`,
        mend: 'lower data.size, or start more agents on other hosts',
      }),
    );
  }
}

function unusable(path: string, cause: NodeJS.ErrnoException): SeedstormError {
  if (cause.code === 'EACCES' || cause.code === 'EPERM' || cause.code === 'EROFS') {
    return new SeedstormError({
      code: 'SEEDSTORM_E_TARGET_NOT_WRITABLE',
      what: `the target folder ${path} cannot be written to: ${cause.code === 'EROFS' ? 'it is mounted read-only' : 'permission denied'}`,
      cause,
    });
  }
  return asSeedstormError(cause);
}

function room(bytes: bigint): string {
  const GiB = 1024 ** 3;
  return bytes < GiB ? `${(Number(bytes) / 1024 ** 2).toFixed(1)} MiB` : `${(Number(bytes) / GiB).toFixed(2)} GiB`;
}
