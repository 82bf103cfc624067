// What the kernel itself says of this process: where its lanes run, and where its pages lie. It is the witness: nothing
// here asks the engine.
import { readdirSync, readFileSync } from 'node:fs';

const isLane = /^lane-\d+$/u;

function fileOf(thread, name) {
  return readFileSync(`/proc/self/task/${thread}/${name}`, 'utf8');
}

function allowedPus(thread) {
  return /^Cpus_allowed_list:\s*(\S+)$/mu.exec(fileOf(thread, 'status'))[1];
}

/** The PUs that threads which are no lanes may run on, all together, as the kernel writes lists. */
export function pusOfOthers() {
  const others = readdirSync('/proc/self/task').filter((thread) => !isLane.test(fileOf(thread, 'comm').trim()));
  return [...new Set(others.map(allowedPus))];
}

/** The lanes, by name: the PUs that each may run on, the PU that it ran on last, how long it has run, whether it sleeps. */
export function laneThreads() {
  return readdirSync('/proc/self/task').flatMap((thread) => {
    const file = (name) => fileOf(thread, name);
    const name = file('comm').trim();
    if (!isLane.test(name)) return [];
    // The name, which stands in brackets, may hold anything; the state, which is field 3, comes after it.
    const fields = file('stat').split(') ').at(-1).split(' ');
    return [
      {
        name,
        allowedPus: allowedPus(thread),
        lastPu: Number(fields[39 - 3]),
        ranNs: Number(file('schedstat').split(' ')[0]),
        sleeps: fields[0] === 'S',
      },
    ];
  });
}

/**
 * Memory of this process by the node that it lies on, in bytes: `bound` is of mappings that are bound to a node, by that
 * node; `own` is all that the kernel took for this process alone.
 */
export function memoryByNode() {
  const bound = {};
  const own = {};
  for (const line of readFileSync('/proc/self/numa_maps', 'utf8').trim().split('\n')) {
    const pageBytes = Number(/ kernelpagesize_kB=(\d+)/u.exec(line)?.[1] ?? 4) * 1024;
    const wanted = /^\S+ (?:prefer|bind)[^:]*:(\S+)/u.exec(line)?.[1];
    for (const [, node, pages] of line.matchAll(/ N(\d+)=(\d+)/gu)) {
      const bytes = Number(pages) * pageBytes;
      if (wanted !== undefined) {
        bound[wanted] ??= {};
        bound[wanted][node] = (bound[wanted][node] ?? 0) + bytes;
      }
      // Pages of files were there before, wherever somebody read them first.
      if (!line.includes(' file=')) own[node] = (own[node] ?? 0) + bytes;
    }
  }
  return { bound, own };
}
