/** What happened in a run, kept for those who come late and told to those who watch. */
import type { Event, Progress, RunResult, WatchRunResponse } from '@seedstorm/proto';

/** How much an event matters. */
export type EventLevel = 'info' | 'warning' | 'error';

/** Events that a run keeps; past it the oldest of them are forgotten, never the result. */
const maxEvents = 10_000;

type Message = NonNullable<WatchRunResponse['message']>;

/** The log of one run. */
export class RunLog {
  readonly #events: Event[] = [];
  readonly #watchers = new Set<(message: Message) => void>();
  #result: RunResult | undefined;
  #stageName = '';

  /** The stage that following events belong to; empty between stages. */
  set stageName(name: string) {
    this.#stageName = name;
  }

  /** Something happened. */
  event(level: EventLevel, kind: string, text: string): void {
    const event = { unixMs: BigInt(Date.now()), level, kind, text, stageName: this.#stageName };
    this.#events.push(event);
    if (this.#events.length > maxEvents) this.#events.shift();
    this.#tell({ $case: 'event', value: event });
  }

  /** Where the run stands. */
  progress(progress: Progress): void {
    this.#tell({ $case: 'progress', value: progress });
  }

  /** The run has ended. */
  end(result: RunResult): void {
    this.#result = result;
    this.#tell({ $case: 'result', value: result });
    this.#watchers.clear();
  }

  /** The result, once there is one. */
  get result(): RunResult | undefined {
    return this.#result;
  }

  /** Tells a watcher what happened so far, then what happens. Gives what ends it. */
  watch(watcher: (message: Message) => void): () => void {
    for (const event of this.#events) watcher({ $case: 'event', value: event });
    if (this.#result !== undefined) {
      watcher({ $case: 'result', value: this.#result });
      return () => {};
    }
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  #tell(message: Message): void {
    for (const watcher of [...this.#watchers]) watcher(message);
  }
}
