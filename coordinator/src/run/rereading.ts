/**
 * Second looks at faults by other agents than those that found them: on another host where there is one, so that no
 * cache of the first one answers. It asks, and takes the answers into the findings; it must never hold up leases.
 */
import type { Finding, PlaceReread, Reading } from '@seedstorm/proto';
import { Findings } from './findings.js';
import type { Participant } from './participant.js';

/** Questions that one agent has at a time; it looks at one place after the other. */
const maxAsked = 16;

interface Question {
  readonly finding: Finding;
  /** Who was asked and cannot answer any more. */
  readonly without: Set<string>;
}

/** The second looks of one stage. */
export class Rereading {
  readonly #open = new Map<bigint, Question & { readonly participant: Participant }>();
  #waiting: Question[] = [];
  #nextId = 1n;

  constructor(
    private readonly wireStage: number,
    /** The stage's participants, by the key of their incarnation. */
    private readonly participants: ReadonlyMap<string, Participant>,
    /** Whether only agents of a fault's own host see the place. */
    private readonly onlyItsHost: boolean,
  ) {}

  /** Has another agent look at the place of a kept fault. */
  ask(finding: Finding): void {
    this.#waiting.push({ finding, without: new Set([finding.reader]) });
    this.#send();
  }

  /** What an agent saw. An answer to a question that it was not asked is none. */
  answered(participant: Participant, { id, reading }: PlaceReread): void {
    const question = this.#open.get(id);
    if (question?.participant !== participant || reading === undefined) return;
    this.#open.delete(id);
    this.#take(question.finding, participant, reading);
    this.#send();
  }

  /** Asks anew where the one who was asked has gone, and says how many answers are still to come. */
  pending(): number {
    for (const [id, { finding, without, participant }] of this.#open) {
      if (participant.member.working) continue;
      this.#open.delete(id);
      this.#waiting.push({ finding, without: without.add(participant.name) });
    }
    this.#send();
    return this.#open.size;
  }

  /** No answer is waited for any more. */
  giveUp(): void {
    for (const { finding, participant } of this.#open.values()) {
      this.#take(finding, participant, {
        agent: '',
        host: '',
        direct: false,
        saw: 'failed',
        detail: 'no answer came',
        unixMs: 0n,
      });
    }
    this.#open.clear();
    this.#waiting = [];
  }

  #take(finding: Finding, { name, member }: Participant, { direct, saw, detail }: Reading): void {
    const known = saw === 'same' || saw === 'right' || saw === 'other' ? saw : 'failed';
    const unixMs = BigInt(Date.now());
    Findings.read(finding, { agent: name, host: member.host, direct, saw: known, detail, unixMs });
  }

  #send(): void {
    this.#waiting = this.#waiting.filter((question) => {
      const able = this.#able(question);
      // With nobody else there is no other opinion.
      if (able.length === 0) return false;
      const asked = (one: Participant): number =>
        [...this.#open.values()].filter(({ participant }) => participant === one).length;
      const participant = able.sort((a, b) => asked(a) - asked(b)).find((one) => asked(one) < maxAsked);
      if (participant === undefined) return true;
      const { finding } = question;
      const id = this.#nextId++;
      this.#open.set(id, { ...question, participant });
      const { object, offset, length, fingerprint, generation } = finding;
      participant.member.send({
        $case: 'rereadPlace',
        value: { stage: this.wireStage, id, object, offset, length, fingerprint, generation },
      });
      return false;
    });
  }

  /** Who may look: on another host than the finder's, where there is anybody who sees the same. */
  #able({ finding, without }: Question): Participant[] {
    const able = [...this.participants.values()].filter(
      ({ name, state, member }) => member.working && state !== 'preparing' && state !== 'gone' && !without.has(name),
    );
    if (this.onlyItsHost) return able.filter(({ member }) => member.host === finding.host);
    const elsewhere = able.filter(({ member }) => member.host !== finding.host);
    return elsewhere.length > 0 ? elsewhere : able;
  }
}
