/**
 * Shares a stage's rate out over the lanes that take part, so that together they keep the plan's: when agents come or go,
 * the others are told their new shares. Must not know what a lane does at its instants.
 */
import type { RateShare } from '@seedstorm/proto';
import type { ResolvedRate } from '../plan/index.js';
import type { Participant } from './participant.js';

/** The shares of one stage's agents. */
export class RateSharing {
  /** The share that each was last told, as text. */
  readonly #told = new Map<Participant, string>();

  constructor(
    private readonly rate: ResolvedRate,
    private readonly wireStage: number,
    private readonly participants: ReadonlyMap<string, Participant>,
  ) {}

  /** The share of an agent that is being started. */
  shareOf(participant: Participant): RateShare | undefined {
    const share = this.#shares().get(participant);
    if (share !== undefined) this.#told.set(participant, JSON.stringify(share));
    return share;
  }

  /** Tells those who are at work and whose share has changed. */
  tick(): void {
    for (const [participant, share] of this.#shares()) {
      const text = JSON.stringify(share);
      const told = this.#told.get(participant);
      if (participant.state !== 'running' || told === undefined || told === text) continue;
      this.#told.set(participant, text);
      participant.member.send({ $case: 'shareRate', value: { stage: this.wireStage, share } });
    }
  }

  /** Equal parts for all lanes, numbered in the order in which the agents came. */
  #shares(): Map<Participant, RateShare> {
    const present = [...this.participants.values()].filter(({ state }) => state === 'ready' || state === 'running');
    const lanes = present.reduce((sum, participant) => sum + participant.lanes, 0);
    const shares = new Map<Participant, RateShare>();
    let firstLane = 0;
    for (const participant of present) {
      shares.set(participant, { perLane: this.rate.perSecond / Math.max(1, lanes), firstLane, lanes });
      firstLane += participant.lanes;
    }
    return shares;
  }
}
