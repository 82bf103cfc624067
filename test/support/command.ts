/**
 * The built command as a user starts it, in a process group of its own. Everything that it says is kept, and what it
 * says can be awaited. Must not know what a test is about.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type EventLine, fraction, type Line, type ProgressLine, type ResultLine, resultOf } from './messages.js';

/** The built command. */
export const commandFile = fileURLToPath(new URL('../../cli/dist/main.js', import.meta.url));
/** The root of the repository. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

/** How a command ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
  /** The lines of `--json`. */
  readonly lines: readonly Line[];
  /** The last of them, the result. */
  readonly result: ResultLine;
}

/** How to start a command. */
export interface How {
  readonly env: NodeJS.ProcessEnv;
  /** Another user than the one who runs the tests. */
  readonly user?: number;
  /** Words in front of it: a program that sets something up and then becomes the command. */
  readonly under?: readonly string[];
  /** On a terminal of its own, made by the system's `script`. */
  readonly onTerminal?: boolean;
  /** In another network namespace. */
  readonly network?: string;
}

/** A started command. */
export class Command {
  stdout = '';
  stderr = '';
  /** Resolves when the process has ended and everything that it said has been read. */
  readonly ended: Promise<Ended>;
  readonly #process: ChildProcess;
  readonly #lines: Line[] = [];
  readonly #waiters = new Set<() => void>();
  #rest = '';
  #over = false;

  constructor(
    private readonly args: readonly string[],
    { env, user, under = [], onTerminal = false, network }: How,
  ) {
    const began = Date.now();
    const line = [...under, process.execPath, commandFile, ...args];
    const quoted = line.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
    const there = network === undefined ? line : ['ip', 'netns', 'exec', network, ...line];
    const [program = '', ...rest] = onTerminal ? ['script', '-qefc', `exec ${quoted}`, '/dev/null'] : there;
    this.#process = spawn(program, rest, {
      cwd: root,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(user === undefined ? {} : { uid: user, gid: user }),
    });
    this.#process.stdout?.setEncoding('utf8').on('data', (text: string) => this.#read(text));
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
      this.#wake();
    });
    this.ended = new Promise((resolve, reject) => {
      this.#process.on('error', reject);
      this.#process.on('close', (code, signal) => {
        this.#over = true;
        const lines = this.#lines;
        resolve({
          code,
          signal,
          stdout: this.stdout,
          stderr: this.stderr,
          seconds: (Date.now() - began) / 1000,
          lines,
          get result() {
            return resultOf(lines);
          },
        });
        this.#wake();
      });
    });
  }

  get pid(): number {
    const { pid } = this.#process;
    if (pid === undefined) throw new Error('the command did not start');
    return pid;
  }

  /** Whether it has ended. */
  get over(): boolean {
    return this.#over;
  }

  /** The lines of `--json` so far. */
  get lines(): readonly Line[] {
    return this.#lines;
  }

  /** The id of its run, once there is progress of it. */
  get runId(): string {
    const progress = this.#lines.find((line) => line.type === 'progress');
    if (progress === undefined) throw new Error('no progress was told yet');
    return progress.runId;
  }

  /** Sends a signal to the command's process alone. */
  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  /** Sends a signal to its whole process group, as a terminal does. */
  signalGroup(signal: NodeJS.Signals): void {
    process.kill(-this.pid, signal);
  }

  /** Closes our end of its stdout, as `head` does when it has enough. */
  hangUp(): void {
    this.#process.stdout?.destroy();
  }

  /** The first line of `--json`, past or to come, that `suits`. */
  async line<T extends Line>(suits: (line: Line) => line is T, what: string): Promise<T> {
    let seen = 0;
    let found: T | undefined;
    await this.#until(() => {
      for (; seen < this.#lines.length && found === undefined; seen++) {
        const line = this.#lines[seen];
        if (line !== undefined && suits(line)) found = line;
      }
      return found !== undefined;
    }, what);
    if (found === undefined) throw new Error(`no ${what}`);
    return found;
  }

  /** The first event of this kind, and of this stage when one is named. */
  event(kind: string, stageName?: string): Promise<EventLine> {
    const suits = (line: Line): line is EventLine =>
      line.type === 'event' && line.kind === kind && (stageName === undefined || line.stageName === stageName);
    return this.line(suits, `event ${kind}${stageName === undefined ? '' : ` of ${stageName}`}`);
  }

  /** The first progress of a stage that suits. */
  progress(stageName: string, suits: (progress: ProgressLine) => boolean, what: string): Promise<ProgressLine> {
    const isIt = (line: Line): line is ProgressLine =>
      line.type === 'progress' && line.stageName === stageName && suits(line);
    return this.line(isIt, `progress of ${stageName} with ${what}`);
  }

  /**
   * Waits until a stage is at least a tenth done, and gives the name of the agent that has the most to do still. Fails
   * when that is only seen when the stage is nearly over: then the test would not test what it says, and needs more data.
   */
  async midStage(stageName: string): Promise<string> {
    const progress = await this.progress(stageName, (each) => fraction(each) >= 0.1, 'a tenth done');
    if (fraction(progress) > 0.8 || progress.phase !== 'running') {
      throw new Error(`too late: ${stageName} is ${(fraction(progress) * 100).toFixed()}% done (${progress.phase})`);
    }
    const [busiest] = [...progress.agents].sort((a, b) => b.leases - a.leases);
    if (busiest === undefined || busiest.leases === 0) throw new Error(`no agent has anything left to ${stageName}`);
    return busiest.name;
  }

  /** The first match of a pattern in stderr, past or to come. */
  said(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#matching(pattern, () => this.stderr);
  }

  /** The first match of a pattern in stdout, past or to come. */
  printed(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#matching(pattern, () => this.stdout);
  }

  async #matching(pattern: RegExp, text: () => string): Promise<RegExpExecArray> {
    let match: RegExpExecArray | null = null;
    await this.#until(() => {
      match = pattern.exec(text());
      return match !== null;
    }, String(pattern));
    if (match === null) throw new Error(`no ${pattern}`);
    return match;
  }

  #read(text: string): void {
    this.stdout += text;
    this.#wake();
    if (!this.args.includes('--json') || this.args[0] !== 'run') return;
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    this.#lines.push(...lines.map((line) => JSON.parse(line) as Line));
    this.#wake();
  }

  #until(ready: () => boolean, what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (ready()) resolve();
        else if (this.#over) {
          const tail = `${this.stdout.slice(-2000)}\n${this.stderr.slice(-2000)}`;
          reject(new Error(`seedstorm ${this.args.join(' ')} ended without ${what}:\n${tail}`));
        } else return;
        this.#waiters.delete(look);
      };
      this.#waiters.add(look);
      look();
    });
  }

  #wake(): void {
    for (const waiter of [...this.#waiters]) waiter();
  }
}
