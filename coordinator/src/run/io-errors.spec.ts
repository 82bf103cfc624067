import type { IoError } from '@seedstorm/proto';
import { describe, expect, test } from 'vitest';
import { Member } from '../membership/member.js';
import { hello } from '../testing/messages.js';
import { IoErrors } from './io-errors.js';

const member = (name: string): Member => new Member(hello({ name }), { write: () => true, end: () => {} });
const row = (changes: Partial<IoError> = {}): IoError => ({
  kind: 'read',
  path: '/t/f1',
  agent: 'liar',
  lane: 0,
  count: 1n,
  first: { code: 'SEEDSTORM_E_IO', what: 'could not read /t/f1', mend: 'look at the log' },
  ...changes,
});
const lets = (inAll: number, read = inAll) => ({ ofKind: { read, write: inAll }, inAll });

describe('the I/O errors of a stage', () => {
  test('are counted once however often they are told, and go by who told them', () => {
    const errors = new IoErrors();
    const [a, b] = [member('a'), member('b')];
    expect(errors.take(a, [row({ count: 2n })])).toHaveLength(1);
    expect(errors.take(a, [row({ count: 5n })])).toEqual([]);
    errors.take(b, [row({ count: 1n }), row({ lane: 1, count: 1n })]);
    expect(errors.inAll).toBe(7);
    expect(errors.rows().map(({ agent, lane, count }) => [agent, lane, count])).toEqual([
      ['a', 0, 5n],
      ['b', 0, 1n],
      ['b', 1, 1n],
    ]);
  });

  test('end the stage when all agents together have more of a kind, or in all, than the plan lets pass', () => {
    const errors = new IoErrors();
    for (const name of ['a', 'b']) errors.take(member(name), [row({ count: 2n })]);
    expect([errors.excess(lets(4)), errors.excess(lets(9, 4))]).toEqual([undefined, undefined]);
    expect(errors.excess(lets(9, 3))).toMatchObject({
      code: 'SEEDSTORM_E_TOO_MANY_ERRORS',
      what: '4 read errors, and the plan lets 3 pass; one of them: agent a: could not read /t/f1',
      mend: 'look at the log',
    });
    errors.take(member('c'), [row({ kind: 'write', count: 4n })]);
    expect(errors.excess(lets(7))?.what).toMatch(/^8 I\/O errors, and the plan lets 7 pass; /u);
  });

  test('are not ours to count when the plan lets none pass: the first of them says what failed', () => {
    const errors = new IoErrors();
    errors.take(member('a'), [row()]);
    expect(errors.excess({ ofKind: {}, inAll: 0 })).toBeUndefined();
  });

  test.each([
    ['a count that goes back', [row({ count: 0n })]],
    ['more rows than an agent keeps', Array.from({ length: 1101 }, (_, lane) => row({ lane: lane + 1 }))],
  ])('%s is refused', (_, rows) => {
    const errors = new IoErrors();
    const agent = member('a');
    errors.take(agent, [row()]);
    expect(() => errors.take(agent, rows)).toThrow(expect.objectContaining({ code: 'SEEDSTORM_E_MESSAGE_INVALID' }));
  });
});
