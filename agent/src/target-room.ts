/** Whether the data fits into a target: what is written to each path, added up over paths of one file system. Pure. */
import { SeedstormError } from '@seedstorm/errors';
import { room } from './check/findings.js';

/** Room that should stay free beside the data: a quarter of it, at most this. A file system that is full to the brim is slow. */
const maxMarginBytes = 1024n ** 3n;

/** One path of a target. */
export interface PathRoom {
  readonly path: string;
  /** What tells its file system from another. */
  readonly device: string;
  readonly freeBytes: bigint;
  /** Whether the file system knows how much room it has; those in memory without a limit do not. */
  readonly knowsRoom: boolean;
  readonly neededBytes: bigint;
}

/** Bytes that come to lie in path `index` of `paths`: objects are dealt out in turn, and only the last may be shorter. */
export function bytesInPath(bytes: bigint, objectBytes: bigint, index: number, paths: number): bigint {
  if (objectBytes <= 0n) return bytes;
  const objects = (bytes + objectBytes - 1n) / objectBytes;
  const own = (objects + BigInt(paths - 1 - index)) / BigInt(paths);
  const hasLast = objects > 0n && (objects - 1n) % BigInt(paths) === BigInt(index);
  return own * objectBytes - (hasLast ? objects * objectBytes - bytes : 0n);
}

/** The file systems on which the data does not fit. */
export function shortOfRoom(paths: readonly PathRoom[]): SeedstormError[] {
  const devices = new Map<string, PathRoom[]>();
  for (const path of paths) devices.set(path.device, [...(devices.get(path.device) ?? []), path]);
  return [...devices.values()].flatMap((together) => {
    const needed = together.reduce((sum, { neededBytes }) => sum + neededBytes, 0n);
    const margin = needed / 4n < maxMarginBytes ? needed / 4n : maxMarginBytes;
    const [first] = together;
    if (first === undefined || !first.knowsRoom || first.freeBytes >= needed + margin) return [];
    const where = together.map(({ path }) => path).join(' and ');
    const has = together.length > 1 ? 'together have' : 'has';
    const what = `${where} ${has} ${room(first.freeBytes)} free; the plan writes ${room(needed)} there and needs ${room(needed + margin)}`;
    return [new SeedstormError({ code: 'SEEDSTORM_E_SPACE', what })];
  });
}
