import { expect, test } from 'vitest';
import { Member } from '../membership/member.js';
import { counters, hello, report } from '../testing/messages.js';
import { Hanging, hangMs } from './hanging.js';
import { Participant } from './participant.js';
import { RunLog } from './run-log.js';

function watched(): { look: (busy: boolean, atMs: number) => string[]; works: () => void } {
  const log = new RunLog();
  const kinds: string[] = [];
  log.watch((message) => {
    if (message.$case === 'event') kinds.push(message.value.kind);
  });
  const participant = new Participant(new Member(hello(), { write: () => true, end: () => {} }));
  const hanging = new Hanging('write', log);
  let done = 0n;
  return {
    look: (busy, atMs) => {
      hanging.look(participant, busy, atMs);
      return kinds;
    },
    works: () => {
      done += 1n;
      participant.totals.take(report({ sequence: done, pools: [counters({ operations: done })] }), 0n);
    },
  };
}

test('an agent with work of which nothing comes back is said to hang, once, and when it is over', () => {
  const { look, works } = watched();
  works();
  look(true, 0);
  expect(look(true, hangMs - 1)).toEqual([]);
  expect(look(true, hangMs)).toEqual(['io-hangs']);
  expect(look(true, 2 * hangMs)).toEqual(['io-hangs']);
  works();
  expect(look(true, 3 * hangMs)).toEqual(['io-hangs', 'io-back']);
});

test('an agent that has nothing to do, or whose I/O comes back slowly, is not said to hang', () => {
  const idle = watched();
  idle.look(false, 0);
  expect(idle.look(false, 10 * hangMs)).toEqual([]);
  const slow = watched();
  for (let atMs = 0; atMs < 10 * hangMs; atMs += hangMs - 1) {
    slow.works();
    expect(slow.look(true, atMs)).toEqual([]);
  }
});
