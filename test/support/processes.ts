/** Finds the processes that a test started, whoever their parent is by now: by a mark in their environment. */
import { readdirSync, readFileSync } from 'node:fs';

/** The variable that marks the processes of a sandbox; children inherit it. */
export const markVariable = 'SEEDSTORM_TEST_SANDBOX';

/** A living process. */
export interface Process {
  readonly pid: number;
  readonly args: readonly string[];
}

/** The living processes with this mark. Zombies have no environment any more, and so are not among them. */
export function processesMarked(mark: string): Process[] {
  const wanted = `${markVariable}=${mark}`;
  return readdirSync('/proc')
    .filter((name) => /^\d+$/u.test(name))
    .flatMap((name) => {
      if (!words(`/proc/${name}/environ`).includes(wanted)) return [];
      return [{ pid: Number(name), args: words(`/proc/${name}/cmdline`) }];
    });
}

/** Sends a signal to a process that may be gone. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function words(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\0').slice(0, -1);
  } catch {
    // It ended between two looks, or is somebody else's.
    return [];
  }
}
