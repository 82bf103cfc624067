import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sendsTo } from './network-peers.js';

const agents = (...hosts: string[]) => hosts.map((host, i) => ({ name: `agent-${String(i).padStart(3, '0')}`, host }));

/** How often each is sent to. */
function received(targets: readonly number[][]): number[] {
  const times = targets.map(() => 0);
  for (const to of targets.flat()) times[to] = (times[to] ?? 0) + 1;
  return times;
}

describe('who sends to whom', () => {
  test('all-to-all: each to every other, and not all to the first at once', () => {
    expect(sendsTo('all-to-all', 'both', agents('a', 'b', 'c'))).toEqual([
      [1, 2],
      [2, 0],
      [0, 1],
    ]);
  });

  test('coordinator: agents exchange with its host, or only send to it', () => {
    expect(sendsTo('coordinator', 'both', agents('a', 'b'))).toEqual([[2], [2], [0, 1]]);
    expect(sendsTo('coordinator', 'one-way', agents('a', 'b'))).toEqual([[2], [2], []]);
  });

  test('pairs: partners are on different hosts where there are any', () => {
    expect(sendsTo('pairs', 'both', agents('a', 'a', 'b', 'b'))).toEqual([[2], [3], [0], [1]]);
    expect(sendsTo('pairs', 'both', agents('a', 'b', 'a', 'b'))).toEqual([[1], [0], [3], [2]]);
  });

  test('pairs, one way: the first half sends to the second, and an odd one is left out', () => {
    expect(sendsTo('pairs', 'one-way', agents('a', 'b', 'c', 'd'))).toEqual([[2], [3], [], []]);
    expect(sendsTo('pairs', 'one-way', agents('a', 'b', 'c'))).toEqual([[1], [], []]);
  });

  test('in pairs each sends to one and receives from one, never itself, however many there are', () => {
    const hosts = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 2, maxLength: 50 });
    fc.assert(
      fc.property(hosts, (names) => {
        const targets = sendsTo('pairs', 'both', agents(...names));
        expect(targets.map((to) => to.length)).toEqual(names.map(() => 1));
        expect(received(targets)).toEqual(names.map(() => 1));
        for (const [own, to] of targets.entries()) expect(to).not.toContain(own);
      }),
    );
  });
});
