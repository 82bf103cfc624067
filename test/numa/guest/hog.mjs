// Fills a node with a file in memory, until so little is free there.
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';

const mebibyte = 1024 ** 2;
const folder = '/tmp/hog';

/** Bytes that are free on a node. */
function freeOn(node) {
  const text = readFileSync(`/sys/devices/system/node/node${node}/meminfo`, 'utf8');
  return Number(/ MemFree: +(\d+) kB/u.exec(text)[1]) * 1024;
}

/** Takes what is free on a node but for about `leave` bytes, until `giveBack`. */
export function fill(node, leave) {
  mkdirSync(folder);
  // The memory of each page is the node's, whoever writes it.
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=100%,mpol=bind:${node}`, 'tmpfs', folder]);
  const file = openSync(`${folder}/file`, 'w');
  const chunk = Buffer.alloc(mebibyte);
  while (freeOn(node) > leave) writeSync(file, chunk);
  closeSync(file);
}

/** Frees it. */
export function giveBack() {
  rmSync(`${folder}/file`);
  execFileSync('umount', [folder]);
}
