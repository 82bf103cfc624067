import { describe, expect, test } from 'vitest';
import { Member } from '../membership/member.js';
import { hello } from '../testing/messages.js';
import { Participant, type ParticipantState } from './participant.js';
import { RateSharing } from './rate-sharing.js';

/** Agents of so many lanes each, and what they are told. */
function agents(...lanes: number[]) {
  const told: [string, number, number][] = [];
  const participants = new Map<string, Participant>();
  const join = (count: number): Participant => {
    const name = `agent-${participants.size + 1}`;
    const write = ({ message }: { message?: { $case: string; value: unknown } }): boolean => {
      if (message?.$case !== 'shareRate') return true;
      const { share } = message.value as { share: { perLane: number; firstLane: number } };
      told.push([name, share.perLane, share.firstLane]);
      return true;
    };
    const participant = new Participant(new Member(hello({ name }), { write, end: () => {} } as never));
    participant.lanes = count;
    participant.state = 'ready';
    participants.set(name, participant);
    return participant;
  };
  const all = lanes.map(join);
  const sharing = new RateSharing({ of: 'operations', perSecond: 6000, arrivals: 'constant' }, 3, participants);
  const start = (participant: Participant) => {
    const share = sharing.shareOf(participant);
    participant.state = 'running';
    return share;
  };
  return { all, join, sharing, start, told };
}

describe('a rate shared out over agents', () => {
  test('every lane has the same part, and the lanes of all agents take turns', () => {
    const { all, start } = agents(2, 4);
    expect(all.map(start)).toEqual([
      { perLane: 1000, firstLane: 0, lanes: 6 },
      { perLane: 1000, firstLane: 2, lanes: 6 },
    ]);
  });

  test.each<ParticipantState>(['gone', 'ended', 'ending'])('one that is %s leaves its part to the others', (state) => {
    const { all, sharing, start, told } = agents(2, 4);
    all.forEach(start);
    sharing.tick();
    expect(told).toEqual([]);
    if (all[1] !== undefined) all[1].state = state;
    sharing.tick();
    sharing.tick();
    expect(told).toEqual([['agent-1', 3000, 0]]);
  });

  test('one that joins later takes a part of the others’, and the sum stays the plan’s', () => {
    const { all, join, sharing, start, told } = agents(2);
    all.forEach(start);
    expect(start(join(4))).toMatchObject({ perLane: 1000, firstLane: 2 });
    sharing.tick();
    expect(told).toEqual([['agent-1', 1000, 0]]);
  });
});
