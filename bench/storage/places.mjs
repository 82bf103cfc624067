// Where storage is measured: memory, a file system of its own on a loop device, and the disk that this repository lies on.
// What is made here is unmade when the bench is through.
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** Room of the tmpfs, in which the loop device's image lies too, and of the image. */
const tmpfsSize = '10G';
const imageSize = '4608M';

function run(command, ...args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${(error?.message ?? stderr).trim()}`);
  return stdout.trim();
}

/**
 * The places that this user can have, each `{ id, folder, what }`; `leftOut` says why others are not here, and `unmake`
 * takes all away again.
 */
export function makePlaces(base, also) {
  const undo = [];
  const leftOut = [];
  const folder = (name) => {
    const path = join(base, name);
    mkdirSync(path, { recursive: true });
    return path;
  };
  undo.push(() => rmSync(base, { recursive: true, force: true }));
  const make = {
    tmpfs: () => {
      const path = folder('tmpfs');
      run('mount', '-t', 'tmpfs', '-o', `size=${tmpfsSize}`, 'tmpfs', path);
      // The loop device lets go of its image a while after it was told to.
      undo.push(() => run('umount', '--lazy', path));
      return { folder: path, what: 'tmpfs' };
    },
    // The image lies in memory, all of it there beforehand: what is measured is the way to a block device, not its speed.
    loop: () => {
      const image = join(base, 'tmpfs/image');
      run('fallocate', '-l', imageSize, image);
      const device = run('losetup', '--find', '--show', '--direct-io=on', image);
      undo.push(() => run('losetup', '--detach', device));
      run('mkfs.ext4', '-q', '-m', '0', '-E', 'lazy_itable_init=0,lazy_journal_init=0', device);
      const path = folder('loop');
      run('mount', device, path);
      undo.push(() => run('umount', path));
      return { folder: path, what: 'ext4 on a loop device with direct I/O, its image in the tmpfs' };
    },
    disk: () => {
      const path = folder('disk');
      return { folder: path, what: run('findmnt', '--noheadings', '--output', 'FSTYPE,SOURCE', '--target', path) };
    },
    ...Object.fromEntries(
      also.map((path) => [
        path,
        () => {
          const own = join(path, `seedstorm-bench-${process.pid}`);
          mkdirSync(own);
          undo.push(() => rmSync(own, { recursive: true, force: true }));
          return { folder: own, what: run('findmnt', '--noheadings', '--output', 'FSTYPE,SOURCE', '--target', own) };
        },
      ]),
    ),
  };
  const places = [];
  for (const [id, made] of Object.entries(make)) {
    try {
      places.push({ id, ...made() });
    } catch (error) {
      leftOut.push(`${id}: ${error.message}`);
    }
  }
  return { places, leftOut, unmake: () => undo.toReversed().forEach((step) => void step()) };
}
