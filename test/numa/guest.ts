/**
 * `test` with a guest: a machine of a shape that QEMU emulates, booted once for the tests of a file. A script in guest/
 * looks around there; tests ask what it saw.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test as base, inject } from 'vitest';
import { qemu } from './needs.js';
import { machineArguments, type Shape } from './shape.js';

/** The slowest guest took 150 s on two cores that more than ten other processes wanted, and takes about half else. */
const timeoutSeconds = 240;
/** What init says first. */
const isUp = 'guest is up';
/**
 * A guest is up after 12 s. Of a few dozen that were booted on a busy host two hung before their first process, which is
 * no business of these tests: after this long they are booted anew, so many times in all.
 */
const bootMs = 45_000;
const maxBoots = 3;

/**
 * lpj: the kernel need not measure, on each CPU, how long to wait (it is 250 Hz and an emulated clock of 1 GHz); this
 * halves the boot. numa_balancing: pages stay where they are put. The others are for a faster boot, too.
 */
const kernelParameters =
  'console=ttyS0,115200 quiet loglevel=4 panic=-1 lpj=4000000 numa_balancing=disable mitigations=off tsc=reliable no_timer_check nokaslr init_on_alloc=0';

/** What came of an observation. */
interface Observation {
  readonly name: string;
  readonly value?: unknown;
  readonly error?: string;
  readonly seconds: number;
}

/** A guest that has ended. */
export class Guest {
  constructor(
    private readonly observations: readonly Observation[],
    private readonly console: string,
  ) {}

  /** What the script saw under this name. */
  saw<T>(name: string): T {
    const observation = this.observations.find((each) => each.name === name);
    if (observation === undefined) {
      const told = this.observations.map((each) => `${each.name} (${each.seconds} s)`).join(', ');
      throw new Error(`the guest told of ${told || 'nothing'}, but not of ${name}. Its console:\n${this.console}`);
    }
    if (observation.error !== undefined) throw new Error(`${name}, in the guest: ${observation.error}`);
    return observation.value as T;
  }
}

/** `test` with a guest of this shape in which this script ran. Skipped where guests cannot be had. */
export function testIn(shape: Shape, script: string) {
  let booted: Promise<Guest> | undefined;
  return base.extend<{ guest: Guest }>({
    guest: async ({ skip }, use) => {
      const provided = inject('guest');
      if ('missing' in provided) return skip(`skipped: needs ${provided.missing}`);
      booted ??= boot(shape, script, provided);
      await use(await booted);
    },
  });
}

/** Boots a machine, lets it run its script and waits for its end. */
async function boot(shape: Shape, script: string, from: { kernel: string; image: string }): Promise<Guest> {
  const folder = mkdtempSync(join(tmpdir(), 'seedstorm-guest-'));
  try {
    const told = join(folder, 'told');
    // `timeout` ends a guest that hangs, even when nobody is left here who would.
    const args = ['--foreground', '--signal=KILL', String(timeoutSeconds), qemu];
    // KVM is left alone: the tests want the same CPU everywhere, and in a virtual machine /dev/kvm may open and then hang.
    args.push('-machine', 'q35', '-accel', 'tcg,thread=multi', '-cpu', 'max,la57=off', ...machineArguments(shape));
    args.push('-nodefaults', '-no-user-config', '-nographic', '-monitor', 'none', '-nic', 'none', '-no-reboot');
    args.push('-serial', 'stdio', '-serial', `file:${told}`);
    args.push('-kernel', from.kernel, '-initrd', from.image, '-append', `${kernelParameters} look=${script}`);
    let console = '';
    for (let boots = 0; boots < maxBoots && !console.includes(isUp); boots++) console = await consoleOf(args);
    const lines = readFileSync(told, 'utf8').split('\n').slice(0, -1);
    return new Guest(
      lines.map((line) => JSON.parse(line) as Observation),
      console,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What a guest prints on its console until it ends, however that is. One that does not come up in time is ended. */
function consoleOf(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('timeout', args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += chunk));
    // `timeout` hands the signal on.
    const late = setTimeout(() => text.includes(isUp) || child.kill('SIGTERM'), bootMs);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(late);
      resolve(`${text}\nQEMU ended with ${code ?? signal}`);
    });
  });
}
