/** What the two services, coordinator and agent, share as processes: signals, and the parent that may have started them. */
import { ExitCode } from '@seedstorm/errors';
import { onStopSignals } from './stop-signals.js';

/** What a service tells the process that started it. */
export type Ready =
  | { readonly ready: 'coordinator'; readonly address: string }
  | { readonly ready: 'agent'; readonly name: string };

/** How long an agent waits to be dismissed when its parent is gone, in ms: the coordinator clears up first. */
export const orphanGraceMs = 20_000;

/** Tells the parent, if this process has one that still listens. */
export function tellParent(ready: Ready): void {
  // One that is gone by now is noticed by onOrphaned.
  if (process.connected) process.send?.(ready, undefined, undefined, () => {});
}

/** Calls `stop` with the reason when a signal comes; a later signal ends the process at once. */
export function onSignal(stop: (reason: string) => void): void {
  onStopSignals(stop, () => process.exit(ExitCode.stopped));
}

/** Calls `stop` when the process that started this one, as a part of itself, is gone, however it went. */
export function onOrphaned(stop: () => void): void {
  // It may have gone while this process was being loaded: then there is no channel any more, but there was one.
  const startedByOurs = process.send !== undefined;
  if (!startedByOurs) return;
  if (!process.connected) {
    stop();
    return;
  }
  // The channel alone must not keep the process alive.
  process.channel?.unref();
  process.on('disconnect', stop);
}

/** A line of a service's log: to stderr, which may have no reader any more. */
export function logLine(line: string): void {
  process.stderr.write(`${new Date().toISOString()} ${line}\n`);
}
