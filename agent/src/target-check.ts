/**
 * Looks whether a target can be used, without changing it: existence, rights, room, O_DIRECT, other runs; and whether
 * this host can carry the load. What is asked of a device, and of the host, is in check/.
 */
import { constants } from 'node:fs';
import { access, realpath, stat, statfs } from 'node:fs/promises';
import { freemem } from 'node:os';
import { asSeedstormError, SeedstormError } from '@seedstorm/errors';
import { directAlignment } from '@seedstorm/native';
import {
  CheckLevel,
  type CheckTarget,
  type FileTarget,
  type PathChecked,
  type TargetChecked,
  toErrorDetail,
} from '@seedstorm/proto';
import { checkDevice } from './check/block.js';
import { checkBucket } from './check/bucket.js';
import { Findings, room } from './check/findings.js';
import { checkInodes } from './check/folder.js';
import { checkLoad, memoryBytes } from './check/host.js';
import { targetPaths } from './file-target.js';
import { findOtherRuns, lockable } from './target-lock.js';
import { bytesInPath, type PathRoom, shortOfRoom } from './target-room.js';

/** What this agent finds of a target. */
export async function checkTarget(question: CheckTarget, lanes: number): Promise<TargetChecked> {
  const { id, target, bytes } = question;
  const checked: TargetChecked = {
    id,
    findings: [],
    freeBytes: 0n,
    device: '',
    lanes,
    identity: '',
    deviceBytes: 0n,
    memoryBytes: memoryBytes(),
    paths: [],
  };
  const findings = new Findings(checked);
  const find = (level: CheckLevel, error: unknown): void => {
    checked.findings.push({ level, detail: toErrorDetail(error) });
  };
  try {
    if (target?.kind?.$case === 'file') await checkFiles(target.kind.value, question, checked, findings, find);
    if (target?.kind?.$case === 's3') await checkBucket(target.kind.value, find);
    if (target?.kind?.$case === 'memory') checkMemory(target.kind.value.limitBytes, bytes, checked, find);
    if (target?.kind?.$case === 'block') await checkDevice(target.kind.value, question, checked, findings);
    // A store that cannot be asked was told of already.
    const isThere = target?.kind?.$case !== 's3' || checked.findings.every(({ level }) => level !== CheckLevel.ERROR);
    if (isThere && target !== undefined && lockable(target) !== undefined) {
      for (const error of await findOtherRuns(target)) find(CheckLevel.ERROR, error);
    }
    await checkLoad(question, lanes, findings);
  } catch (error) {
    find(CheckLevel.ERROR, error);
  }
  return checked;
}

type Find = (level: CheckLevel, error: unknown) => void;

async function checkFiles(
  target: FileTarget,
  question: CheckTarget,
  checked: TargetChecked,
  findings: Findings,
  find: Find,
): Promise<void> {
  const paths = targetPaths(target);
  const rooms: PathRoom[] = [];
  for (const [index, path] of paths.entries()) {
    await checkFolder(path);
    const needed = bytesInPath(question.bytes, question.objectBytes, index, paths.length);
    const looked = await roomIn(path, needed);
    rooms.push(looked);
    if (question.makesObjects) await checkInodes(path, perPath(question.objects, paths.length), findings);
    const direct = await checkDirect(path, target, question, find);
    checked.paths.push({ path, freeBytes: looked.freeBytes, neededBytes: needed, ...direct });
  }
  await checkApart(paths);
  const devices = new Map(rooms.map(({ device, freeBytes }) => [device, freeBytes]));
  checked.device = [...devices.keys()].join();
  checked.freeBytes = [...devices.values()].reduce((sum, free) => sum + free, 0n);
  for (const error of shortOfRoom(rooms)) find(CheckLevel.ERROR, error);
}

/** The most objects that any of so many paths gets. */
function perPath(objects: bigint, paths: number): bigint {
  return (objects + BigInt(paths - 1)) / BigInt(paths);
}

/** @throws SeedstormError TARGET_MISSING, TARGET_NOT_WRITABLE. */
async function checkFolder(path: string): Promise<void> {
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
}

async function roomIn(path: string, neededBytes: bigint): Promise<PathRoom> {
  const { bavail, blocks, bsize } = await statfs(path, { bigint: true });
  const { dev } = await stat(path);
  return { path, device: String(dev), freeBytes: bavail * bsize, knowsRoom: blocks > 0n, neededBytes };
}

/**
 * That the paths are folders apart, whatever they are called.
 * @throws SeedstormError TARGET_OUTSIDE.
 */
async function checkApart(paths: readonly string[]): Promise<void> {
  const folders: { path: string; real: string; id: string }[] = [];
  for (const path of paths) {
    const { dev, ino } = await stat(path, { bigint: true });
    folders.push({ path, real: `${await realpath(path)}/`, id: `${dev} ${ino}` });
  }
  for (const folder of folders) {
    for (const other of folders) {
      if (folder === other) continue;
      const isSame = folder.id === other.id;
      if (!isSame && !folder.real.startsWith(other.real)) continue;
      throw new SeedstormError({
        code: 'SEEDSTORM_E_TARGET_OUTSIDE',
        what: `the path ${folder.path} ${isSame ? 'is the same folder as' : 'lies inside'} the path ${other.path}`,
        mend: 'name each folder once in target.paths, and none inside another',
      });
    }
  }
}

/** What O_DIRECT wants there, and whether the plan's block and unit suit it. */
async function checkDirect(
  path: string,
  { direct }: FileTarget,
  { blockBytes, unitBytes }: CheckTarget,
  find: Find,
): Promise<Pick<PathChecked, 'directOffsetBytes' | 'directMemoryBytes' | 'directTold'>> {
  const none = { directOffsetBytes: 0n, directMemoryBytes: 0n, directTold: false };
  if (direct === 'false') return none;
  // What cannot be tried (a full file system, say) is not held against it: the run itself will find out.
  const found = await directAlignment(path).catch(() => undefined);
  if (found === undefined) return none;
  const complain = (
    code: 'SEEDSTORM_E_DIRECT_REFUSED' | 'SEEDSTORM_E_UNALIGNED',
    what: string,
    mend?: string,
  ): void => {
    const insists = direct === 'true';
    const whole = insists ? what : `${what}; buffered I/O will be used`;
    const error = new SeedstormError({ code, what: whole, ...(mend === undefined ? {} : { mend }) });
    find(insists ? CheckLevel.ERROR : CheckLevel.WARNING, error);
  };
  if (!found.takes) {
    complain('SEEDSTORM_E_DIRECT_REFUSED', `the file system of ${path} refuses O_DIRECT`);
    return none;
  }
  const wanted = BigInt(found.offsetBytes);
  for (const [what, bytes, key] of [
    ['block', blockBytes, 'target.io.block'],
    ['unit', unitBytes, 'data.unit'],
  ] as const) {
    if (bytes % wanted === 0n) continue;
    complain(
      'SEEDSTORM_E_UNALIGNED',
      `the ${what} of ${bytes} bytes is no multiple of the ${wanted} bytes that O_DIRECT wants in ${path}`,
      `set ${key} to a multiple of ${wanted}, or target.io.direct to false`,
    );
  }
  return {
    directOffsetBytes: wanted,
    directMemoryBytes: BigInt(found.memoryBytes),
    directTold: found.told,
  };
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
