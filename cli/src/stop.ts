/**
 * What signals do to a command that works through a cluster: the first one stops it gracefully, a later one ends
 * everything at once. It is there before anything is started, so that no moment is left out.
 */
import { ExitCode } from '@seedstorm/errors';
import { onStopSignals } from './stop-signals.js';

/** The user's wish to stop. */
export class Stop {
  /** Resolves when the user asks. */
  readonly whenAsked: Promise<void>;
  #asked = false;
  #atOnce: () => void = () => {};
  readonly #release: () => void;

  /** `tell` is called when the user asks. */
  constructor(tell: () => void) {
    let resolve: () => void = () => {};
    this.whenAsked = new Promise((asked) => {
      resolve = asked;
    });
    const first = (): void => {
      this.#asked = true;
      tell();
      resolve();
    };
    this.#release = onStopSignals(first, () => {
      this.#atOnce();
      process.exit(ExitCode.stopped);
    });
  }

  /** Whether the user has asked. */
  get asked(): boolean {
    return this.#asked;
  }

  /** What to do before the process ends at once. */
  set atOnce(end: () => void) {
    this.#atOnce = end;
  }

  /** Signals do again what they usually do. */
  close(): void {
    this.#release();
  }
}
