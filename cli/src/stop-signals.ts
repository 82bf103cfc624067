/** Signals that ask a process to stop: gracefully by the first of them, at once by a later one. */

/** Their names. */
export const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** Signals this close together are one: terminals, npm and schedulers each pass on what the other one sends too. */
const togetherMs = 1000;

/** Calls `first` with the first signal's name, and `again` when one comes later. Gives what ends it. */
export function onStopSignals(first: (signal: string) => void, again: () => void): () => void {
  let firstMs: number | undefined;
  const handler = (signal: string): void => {
    if (firstMs === undefined) {
      firstMs = performance.now();
      first(signal);
    } else if (performance.now() - firstMs > togetherMs) again();
  };
  for (const name of stopSignals) process.on(name, handler);
  return () => {
    for (const name of stopSignals) process.off(name, handler);
  };
}
