import type { AttendResponse, Hello } from '@seedstorm/proto';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { hello, report } from '../testing/messages.js';
import type { AgentStream, Member } from './member.js';
import { Members, type MembersListener } from './members.js';

/** An agent's stream, as far as the coordinator sees it. */
class Stream implements AgentStream {
  readonly said: AttendResponse[] = [];
  ended = false;
  /** Whether its reader has fallen behind. */
  full = false;

  write(message: AttendResponse): boolean {
    this.said.push(message);
    return !this.full;
  }

  end(): void {
    this.ended = true;
  }

  /** What was said, by kind, without the probes of its clock. */
  get kinds(): string[] {
    return this.said.map(({ message }) => message?.$case ?? '').filter((kind) => kind !== 'clockProbe');
  }
}

let members: Members;
/** What the listener was told. */
let told: string[];
const listener: MembersListener = {
  joined: (member) => told.push(`joined ${member.name}`),
  returned: (member) => told.push(`returned ${member.name}`),
  suspected: (member) => told.push(`suspected ${member.name}`),
  lost: (member, knownDead) => told.push(`lost ${member.name}${knownDead ? ' for certain' : ''}`),
  leaving: () => false,
  heartbeat: (member) => told.push(`heartbeat ${member.name}`),
  said: (member, { $case }) => told.push(`${member.name} says ${$case}`),
};

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'hrtime', 'Date'] });
  told = [];
  members = new Members('0.1.0');
  members.listen(listener);
});
afterEach(() => {
  members.close();
  vi.useRealTimers();
});

function join(name: string, changes: Partial<Hello> = {}): { member: Member; stream: Stream } {
  const stream = new Stream();
  return { member: members.admit(hello({ name, ...changes }), stream), stream };
}

const beat = (member: Member): void => members.receive(member, { $case: 'heartbeat', value: { sentNs: 77n } });

/** Time passes; these agents go on saying that they live. */
function pass(ms: number, ...alive: Member[]): void {
  for (let at = 0; at < ms; at += 500) {
    vi.advanceTimersByTime(500);
    for (const member of alive) beat(member);
  }
  told = told.filter((one) => !one.startsWith('heartbeat'));
}

describe('joining', () => {
  test('an agent is welcomed, its clock is asked for, and the run hears of it', () => {
    const { member, stream } = join('a');
    expect(stream.said[0]).toEqual({
      message: { $case: 'welcome', value: { version: '0.1.0', heartbeatMs: 1000 } },
    });
    expect(stream.said.filter(({ message }) => message?.$case === 'clockProbe').length).toBeGreaterThan(1);
    expect([member.state, member.working, members.working(), told]).toEqual(['present', true, [member], ['joined a']]);
  });

  test.each<[string, Partial<Hello>, string, RegExp]>([
    ['another protocol', { protocol: 2 }, 'PROTOCOL_VERSION', /speaks protocol 2, this coordinator speaks 1/u],
    ['no name', { name: '' }, 'AGENT_REFUSED', /no name/u],
    ['a path for a name', { name: '../a' }, 'AGENT_REFUSED', /no name/u],
    ['a name with a space', { name: 'a b' }, 'AGENT_REFUSED', /no name/u],
    ['a name that clears the terminal', { name: 'a\u001b[2J' }, 'AGENT_REFUSED', /“a\?\[2J” is no name/u],
    ['a name that is too long', { name: 'a'.repeat(129) }, 'AGENT_REFUSED', /no name/u],
    ['an incarnation that no number holds', { incarnation: 2n ** 60n }, 'AGENT_REFUSED', /./u],
    ['a novel for a host', { host: 'h'.repeat(4097) }, 'LIMIT', /4097 characters/u],
  ])('%s is refused, and leaves no trace', (_, changes, code, what) => {
    expect(() => join('a', changes)).toThrow(
      expect.objectContaining({ code: `SEEDSTORM_E_${code}`, what: expect.stringMatching(what) }),
    );
    expect([members.all(), told]).toEqual([[], []]);
  });

  test('past the limit no more are taken, until one has gone', () => {
    for (let i = 0; i < 4096; i++) join(`a${i}`);
    expect(() => join('one-more')).toThrow(expect.objectContaining({ code: 'SEEDSTORM_E_LIMIT' }));
    expect(members.declareGone('a7', 1234)).toBe(true);
    expect(join('one-more').member.state).toBe('present');
    expect(members.find('a7')).toBeUndefined();
  });
});

describe('coming back', () => {
  test('after a break it is the same member, with its clock; the old stream is ended and does not count', () => {
    const { member, stream } = join('a');
    member.clock.echo(1n, 5n, process.hrtime.bigint());
    members.disconnected(member, stream);
    expect([member.state, member.working]).toEqual(['suspect', false]);
    const back = join('a');
    expect(back.member).toBe(member);
    expect([member.state, member.working, member.clock.known]).toEqual(['present', true, true]);
    expect(back.stream.kinds).toEqual(['welcome']);
    // The end of the old stream comes late.
    members.disconnected(member, stream);
    expect(member.working).toBe(true);
    expect(told).toEqual(['joined a', 'suspected a', 'returned a']);
  });

  test('on a new stream before the old one broke, the old one is ended', () => {
    const { member, stream } = join('a');
    const back = join('a');
    expect([stream.ended, back.stream.ended, back.member]).toEqual([true, false, member]);
    member.send({ $case: 'syncStage', value: { stage: 0 } });
    expect(back.stream.kinds).toEqual(['welcome', 'syncStage']);
    expect(stream.kinds).toEqual(['welcome']);
  });

  test('a newer process of the same name takes the place of the older one, which is told why', () => {
    const older = join('a', { incarnation: 5n, pid: 1 });
    const newer = join('a', { incarnation: 6n, pid: 2, host: 'host-2' });
    expect(older.stream.said.at(-1)).toMatchObject({
      message: { $case: 'dismiss', value: { reason: { code: 'SEEDSTORM_E_AGENT_REFUSED' } } },
    });
    expect([older.stream.ended, older.member.state, newer.member.state]).toEqual([true, 'lost', 'present']);
    // Its writes may still be in flight: it is not known to be dead.
    expect(told).toEqual(['joined a', 'lost a', 'joined a']);
    expect(members.find('a')).toBe(newer.member);
  });

  test('an older process of the same name is refused, and the newer one stays', () => {
    const { member, stream } = join('a', { incarnation: 6n });
    expect(() => join('a', { incarnation: 5n })).toThrow(
      expect.objectContaining({ code: 'SEEDSTORM_E_AGENT_REFUSED', mend: expect.stringContaining('--name') }),
    );
    expect([member.working, stream.ended]).toEqual([true, false]);
  });

  test('one that was taken as lost may not come back as the same: its leases are another’s now', () => {
    const { member } = join('a');
    members.declareGone('a', member.hello.pid);
    expect(() => join('a')).toThrow(expect.objectContaining({ what: expect.stringContaining('was taken as lost') }));
    expect(join('a', { incarnation: 2n }).member.state).toBe('present');
  });

  test('what a gone one still says is passed on, but neither renews nor revives it', () => {
    const { member, stream } = join('a');
    members.declareGone('a', member.hello.pid);
    told = [];
    const before = stream.said.length;
    beat(member);
    members.receive(member, { $case: 'leaving', value: { reason: '' } });
    members.receive(member, { $case: 'report', value: report() });
    expect(told).toEqual(['a says report']);
    expect([member.state, stream.said.length]).toEqual(['lost', before]);
  });
});

describe('silence', () => {
  test('of one agent makes it suspect, then lost when its leases have run out', () => {
    const { member: silent, stream } = join('a');
    const others = ['b', 'c', 'd'].map((name) => join(name).member);
    told = [];
    pass(3000, ...others);
    expect(told).toEqual([]);
    pass(1000, ...others);
    expect([silent.state, told]).toEqual(['suspect', ['suspected a']]);
    pass(members.leaseMs + members.marginMs - 4500, ...others);
    expect(silent.state).toBe('suspect');
    pass(1500, ...others);
    expect([silent.state, stream.ended, told]).toEqual(['lost', true, ['suspected a', 'lost a']]);
  });

  test('that ends in time is forgotten', () => {
    const { member } = join('a');
    const { member: other } = join('b');
    pass(4000, other);
    expect(member.state).toBe('suspect');
    beat(member);
    expect(member.state).toBe('present');
    pass(2500, other);
    expect(member.state).toBe('present');
  });

  test('the coordinator waits longer than the agent works on', () => {
    members.leaseMs = 20_000;
    expect(members.marginMs).toBeGreaterThanOrEqual(500);
    const { member } = join('a');
    const { member: other } = join('b');
    pass(20_500, other);
    expect(member.state).toBe('suspect');
    pass(1000, other);
    expect(member.state).toBe('lost');
  });

  test('of many together is the network’s: nobody is lost until some are back', () => {
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => join(name).member) as [Member, Member, Member, Member];
    pass(60_000, c, d);
    expect([a.state, b.state]).toEqual(['suspect', 'suspect']);
    // One is back: the other is alone in its silence.
    pass(1000, b, c, d);
    expect([a.state, b.state]).toEqual(['lost', 'present']);
    expect(told.filter((one) => one.startsWith('lost'))).toEqual(['lost a']);
  });

  test('of the only agent there is has nobody to blame', () => {
    const { member } = join('a');
    pass(11_500);
    expect(member.state).toBe('lost');
  });

  test('of a stream that ended is known at once, and the agent has until its leases end to come back', () => {
    const { member, stream } = join('a');
    const { member: other } = join('b');
    members.disconnected(member, stream);
    expect(told.at(-1)).toBe('suspected a');
    pass(5000, other);
    expect(member.state).toBe('suspect');
    pass(7000, other);
    expect(member.state).toBe('lost');
  });
});

describe('what somebody who knows says', () => {
  test('a process that is gone is lost at once', () => {
    const { member } = join('a', { pid: 7 });
    expect(members.declareGone('a', 7)).toBe(true);
    expect([member.state, told.at(-1)]).toEqual(['lost', 'lost a for certain']);
  });

  test('of another process, or of nobody, is not believed', () => {
    const { member } = join('a', { pid: 7 });
    expect([members.declareGone('a', 8), members.declareGone('b', 7), member.state]).toEqual([false, false, 'present']);
  });

  test('of one that was lost by its silence settles what it may have had in flight', () => {
    const { member } = join('a', { pid: 7 });
    pass(11_500);
    expect(member.state).toBe('lost');
    expect([members.declareGone('a', 7), told.at(-1)]).toEqual([true, 'lost a for certain']);
  });

  test('of one that left is no news', () => {
    const { member } = join('a', { pid: 7 });
    members.receive(member, { $case: 'leaving', value: { reason: '' } });
    expect(members.declareGone('a', 7)).toBe(false);
    expect(told).toEqual(['joined a']);
  });
});

describe('leaving', () => {
  const leave = (member: Member): void => members.receive(member, { $case: 'leaving', value: { reason: 'SIGTERM' } });

  test('an agent that holds nothing is let go at once', () => {
    const { member, stream } = join('a');
    leave(member);
    expect(stream.said.at(-1)).toEqual({ message: { $case: 'dismiss', value: { reason: undefined } } });
    expect([stream.ended, member.state, member.alive]).toEqual([true, 'left', false]);
    expect(told).toEqual(['joined a']);
  });

  test('one that holds leases stays until whoever gave them lets it go, and is given no more', () => {
    members.listen({ ...listener, leaving: () => true });
    const { member, stream } = join('a');
    leave(member);
    expect([member.state, member.alive, member.working, stream.ended]).toEqual(['leaving', true, false, false]);
    members.dismiss(member);
    expect([member.state, stream.ended]).toEqual(['left', true]);
  });

  test('one that falls silent while it leaves is lost like any other', () => {
    members.listen({ ...listener, leaving: () => true });
    const { member } = join('a');
    leave(member);
    pass(12_000, join('b').member);
    expect(member.state).toBe('lost');
  });
});

describe('what agents say', () => {
  test('a heartbeat reaches the ledger before it is acknowledged, with the time that the agent sent it', () => {
    const { member, stream } = join('a');
    const order: string[] = [];
    members.listen({ ...listener, heartbeat: () => order.push(`ledger, ${stream.kinds.at(-1)}`) });
    beat(member);
    expect(order).toEqual(['ledger, welcome']);
    expect(stream.said.at(-1)).toEqual({ message: { $case: 'heartbeatAck', value: { sentNs: 77n } } });
  });

  test('an agent that introduces itself twice is refused', () => {
    const { member } = join('a');
    expect(() => members.receive(member, { $case: 'hello', value: hello() })).toThrow(
      expect.objectContaining({ code: 'SEEDSTORM_E_MESSAGE_INVALID' }),
    );
  });

  test('who has stopped listening is told nothing', () => {
    members.listen({ ...listener, joined: () => told.push('twice') })();
    join('a');
    expect(told).toEqual(['joined a']);
  });

  test('an agent that does not read is cut off before it fills the memory; one that is slow is not', () => {
    const { member, stream } = join('a');
    const sync = (): void => member.send({ $case: 'syncStage', value: { stage: 0 } });
    stream.full = true;
    for (let i = 0; i < 4000; i++) sync();
    stream.full = false;
    sync();
    stream.full = true;
    for (let i = 0; i < 4096; i++) sync();
    expect([stream.ended, member.working]).toEqual([false, true]);
    sync();
    expect([stream.ended, member.working, member.alive]).toEqual([true, false, true]);
  });

  test('the end of the coordinator sends everybody away', () => {
    const streams = ['a', 'b'].map((name) => join(name).stream);
    members.close();
    expect(streams.map(({ kinds, ended }) => [kinds.at(-1), ended])).toEqual([
      ['dismiss', true],
      ['dismiss', true],
    ]);
  });
});
