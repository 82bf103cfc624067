/** Waits for conditions that events change: whoever changes something wakes, and each waiter looks for itself. */
import { nowMs } from '../clock.js';

interface Waiter {
  readonly ready: () => boolean;
  readonly resolve: () => void;
}

/** Those who wait. */
export class Waiters {
  #waiting: Waiter[] = [];

  /** Resolves when `ready` holds, or after `timeoutMs`; it is asked at each wake, so a clock must wake now and then. */
  until(ready: () => boolean, timeoutMs = Number.POSITIVE_INFINITY): Promise<void> {
    if (ready()) return Promise.resolve();
    const deadline = nowMs() + timeoutMs;
    return new Promise((resolve) => {
      this.#waiting.push({ ready: () => ready() || nowMs() >= deadline, resolve });
    });
  }

  /** Something has changed. */
  wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const waiter of waiting) {
      if (waiter.ready()) waiter.resolve();
      else this.#waiting.push(waiter);
    }
  }
}
