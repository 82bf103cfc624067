import type { RunResult, WatchRunResponse } from '@seedstorm/proto';
import { describe, expect, test } from 'vitest';
import { RunLog } from './run-log.js';

type Message = NonNullable<WatchRunResponse['message']>;

const result: RunResult = {
  runId: 'r',
  name: '',
  outcome: 'passed',
  error: undefined,
  seed: 1n,
  namespace: '',
  startedUnixMs: 0n,
  endedUnixMs: 0n,
  stages: [],
  findings: [],
  leftBehind: [],
  notes: [],
  agentsSeen: 1,
  agentsLost: 0,
  sparedObjects: 0n,
  evidenceSkipped: 0n,
  spreads: [],
  sweep: undefined,
  indeterminate: [],
  dataRunId: '',
  dataStartedUnixMs: 0n,
};

/** A watcher and what it was told: kinds of events, or the message's own. */
function watcher(): { seen: string[]; watch: (message: Message) => void } {
  const seen: string[] = [];
  return { seen, watch: (message) => void seen.push(message.$case === 'event' ? message.value.kind : message.$case) };
}

describe('the log of a run', () => {
  test('who comes late hears what happened before, in order, and then what happens', () => {
    const log = new RunLog();
    log.event('info', 'one', '');
    log.event('warning', 'two', '');
    const { seen, watch } = watcher();
    log.watch(watch);
    log.event('error', 'three', '');
    log.end(result);
    expect(seen).toEqual(['one', 'two', 'three', 'result']);
  });

  test('who comes after the end hears everything and the result, once', () => {
    const log = new RunLog();
    log.event('info', 'one', '');
    log.end(result);
    const { seen, watch } = watcher();
    log.watch(watch)();
    expect(seen).toEqual(['one', 'result']);
    expect(log.result).toBe(result);
  });

  test('who stops watching hears no more, and the others do', () => {
    const log = new RunLog();
    const [first, second] = [watcher(), watcher()];
    const stop = log.watch(first.watch);
    log.watch(second.watch);
    log.event('info', 'one', '');
    stop();
    stop();
    log.event('info', 'two', '');
    expect([first.seen, second.seen]).toEqual([['one'], ['one', 'two']]);
  });

  test('a watcher that stops in the middle of being told does not disturb the next', () => {
    const log = new RunLog();
    const { seen, watch } = watcher();
    const stop = log.watch(() => stop());
    log.watch(watch);
    log.event('info', 'one', '');
    expect(seen).toEqual(['one']);
  });

  test('events tell the stage that they belong to, and how much they matter', () => {
    const log = new RunLog();
    const events: unknown[] = [];
    log.watch((message) => {
      if (message.$case === 'event') events.push([message.value.stageName, message.value.level, message.value.text]);
    });
    log.event('info', 'k', 'before');
    log.stageName = 'write';
    log.event('error', 'k', 'during');
    log.stageName = '';
    log.event('warning', 'k', 'after');
    expect(events).toEqual([
      ['', 'info', 'before'],
      ['write', 'error', 'during'],
      ['', 'warning', 'after'],
    ]);
  });

  test('a run of many events keeps the latest, and never loses its result', () => {
    const log = new RunLog();
    for (let i = 0; i < 10_500; i++) log.event('info', String(i), '');
    log.end(result);
    const { seen, watch } = watcher();
    log.watch(watch);
    expect([seen.length, seen[0], seen.at(-2), seen.at(-1)]).toEqual([10_001, '500', '10499', 'result']);
  });
});
