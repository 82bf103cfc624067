import type { Finding, RereadPlace } from '@seedstorm/proto';
import { describe, expect, test } from 'vitest';
import { Member } from '../membership/member.js';
import { finding, hello } from '../testing/messages.js';
import { Participant, participantKey } from './participant.js';
import { Rereading } from './rereading.js';

/** An agent that takes part, and the questions that it was sent. */
function agent(name: string, host: string): { participant: Participant; asked: RereadPlace[] } {
  const asked: RereadPlace[] = [];
  const stream = {
    write: ({ message }: { message?: { $case: string; value: unknown } | undefined }) => {
      if (message?.$case === 'rereadPlace') asked.push(message.value as RereadPlace);
      return true;
    },
    end: () => {},
  };
  const participant = new Participant(new Member(hello({ name, host }), stream));
  participant.state = 'running';
  return { participant, asked };
}

function rereading(...agents: { participant: Participant }[]): Rereading {
  return new Rereading(7, byKey(agents), false);
}

function byKey(agents: { participant: Participant }[]): Map<string, Participant> {
  return new Map(agents.map(({ participant }) => [participantKey(participant.member), participant]));
}

const fault = (changes: Partial<Finding> = {}): Finding =>
  finding({ reader: 'a', host: 'h1', object: 3n, offset: 512n, length: 1024n, fingerprint: 'bytes 00', ...changes });
const answer = (id: bigint, saw: string) => ({
  stage: 7,
  id,
  reading: { agent: 'liar', host: 'liar', direct: true, saw, detail: 'd', unixMs: 0n },
});

describe('a second look at a fault', () => {
  test('is asked of an agent on another host than the one that found it', () => {
    const [a, b, c] = [agent('a', 'h1'), agent('b', 'h1'), agent('c', 'h2')];
    const looks = rereading(a, b, c);
    const found = fault();
    looks.ask(found);
    expect([a.asked, b.asked, c.asked.length]).toEqual([[], [], 1]);
    expect(c.asked[0]).toMatchObject({ stage: 7, object: 3n, offset: 512n, length: 1024n, fingerprint: 'bytes 00' });
    expect(looks.pending()).toBe(1);
    looks.answered(c.participant, answer(c.asked[0]?.id ?? 0n, 'same'));
    expect(looks.pending()).toBe(0);
    expect(found).toMatchObject({
      verdict: 'persistent',
      readers: [{ agent: 'c', host: 'h2', saw: 'same', direct: true }],
    });
  });

  test('at node-local data is never asked of another host, which has files of its own under the same names', () => {
    const [a, b, c] = [agent('a', 'h1'), agent('b', 'h1'), agent('c', 'h2')];
    new Rereading(7, byKey([a, b, c]), true).ask(fault());
    expect([a.asked.length, b.asked.length, c.asked.length]).toEqual([0, 1, 0]);
    const nobody = new Rereading(7, byKey([a, c]), true);
    nobody.ask(fault());
    expect(nobody.pending()).toBe(0);
  });

  test('is asked of another agent on the same host where there is no other host, and of nobody where there is no other', () => {
    const [a, b] = [agent('a', 'h1'), agent('b', 'h1')];
    rereading(a, b).ask(fault());
    expect([a.asked.length, b.asked.length]).toEqual([0, 1]);
    const alone = rereading(agent('a', 'h1'));
    alone.ask(fault());
    expect(alone.pending()).toBe(0);
  });

  test('an answer of somebody who was not asked, or that comes twice, is none', () => {
    const [b, c] = [agent('b', 'h2'), agent('c', 'h3')];
    const looks = rereading(b, c);
    const found = fault();
    looks.ask(found);
    const { id = 0n } = b.asked[0] ?? {};
    looks.answered(c.participant, answer(id, 'right'));
    expect(found.readers).toEqual([]);
    for (let i = 0; i < 2; i++) looks.answered(b.participant, answer(id, 'right'));
    expect(found.readers).toHaveLength(1);
  });

  test('is asked anew of somebody else when the one who was asked is lost', () => {
    const [b, c] = [agent('b', 'h2'), agent('c', 'h3')];
    const looks = rereading(b, c);
    looks.ask(fault());
    b.participant.member.end('lost');
    expect([looks.pending(), c.asked.length]).toEqual([1, 1]);
  });

  test('of many faults an agent is asked a few at a time, until all are answered', () => {
    const b = agent('b', 'h2');
    const looks = rereading(b);
    const faults = Array.from({ length: 100 }, () => fault());
    for (const each of faults) looks.ask(each);
    expect(b.asked.length).toBeLessThan(100);
    for (let i = 0; i < 100; i++) looks.answered(b.participant, answer(b.asked[i]?.id ?? 0n, 'same'));
    expect([looks.pending(), b.asked.length]).toEqual([0, 100]);
    expect(faults.every(({ readers }) => readers.length === 1)).toBe(true);
  });

  test('that nobody answers leaves the fault undecided, and says that no answer came', () => {
    const looks = rereading(agent('b', 'h2'));
    const found = fault();
    looks.ask(found);
    looks.giveUp();
    expect(found).toMatchObject({
      verdict: 'undecided',
      readers: [{ agent: 'b', saw: 'failed', detail: 'no answer came' }],
    });
    expect(looks.pending()).toBe(0);
  });
});
