// A measuring program that lives as long as the bench: it is told a case on a line of stdin and answers with a line of
// JSON, so that the bench can go from one program to the next and back within a second.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** A worker, started. Its first line describes itself or the machine. */
export class Worker {
  #child;
  #lines;
  #name;

  /** Starts a program and reads its first line. */
  static async start(name, command, args) {
    const worker = new Worker(name, command, args);
    worker.about = await worker.#answer();
    return worker;
  }

  constructor(name, command, args) {
    this.#name = name;
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    // A program that cannot be started, or is gone, shows as the end of its output.
    this.#child.on('error', () => {});
    this.#child.stdin.on('error', () => {});
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Measures a case: `{ perSecond, amount, cpuNs }`, or `{ error }` where this worker cannot. */
  ask(line) {
    this.#child.stdin.write(`${line}\n`);
    return this.#answer();
  }

  /** Lets the program end by itself. */
  end() {
    this.#child.stdin.end();
  }

  async #answer() {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`${this.#name} ended in the middle of the bench; see its message above`);
    return JSON.parse(value);
  }
}
