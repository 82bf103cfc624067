/** What must hold between the keys by which a stage goes by time. */
import { defaults } from './choices.js';
import { invalid, type Problem } from './problems.js';
import type { TimeKeys } from './schema-time.js';
import { formatDuration } from './units.js';

/** Checks the time of a stage that is called `name` and stands at `path`. */
export function checkTime(path: readonly (string | number)[], name: string, time: TimeKeys): Problem[] {
  const { duration, ramp = 0, until } = time;
  if (until === undefined) {
    if (duration === undefined || ramp < duration) return [];
    const what = `${name}.ramp: nothing would count in a stage of ${formatDuration(duration)}`;
    return [invalid([...path, 'ramp'], what, 'write a ramp that is shorter than the duration')];
  }
  const { window = defaults.stableWindowMs, atMost = defaults.stableAtMostMs } = until;
  const problems: Problem[] = [];
  if (duration !== undefined) {
    const what = `${name}.duration: a stage ends by its duration or when it is stable, not by both`;
    problems.push(invalid([...path, 'duration'], what, 'remove it, or write until.atMost', 'key'));
  }
  if (window % 1000 !== 0) {
    const what = `${name}.until.window: ${formatDuration(window)} is no whole number of seconds`;
    problems.push(invalid([...path, 'until', 'window'], what, 'write whole seconds such as 10s'));
  }
  if (ramp + window > atMost) {
    const what = `${name}.until.atMost: a window of ${formatDuration(window)}${ramp > 0 ? ` after a ramp of ${formatDuration(ramp)}` : ''} does not fit in ${formatDuration(atMost)}`;
    const key = until.atMost === undefined ? 'window' : 'atMost';
    problems.push(invalid([...path, 'until', key], what, 'raise atMost, or shorten the window or the ramp'));
  }
  return problems;
}
