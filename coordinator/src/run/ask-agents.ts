/** Asks agents one thing and waits for the answers of those that stay. Must not know what is asked. */
import type { Member, ToAgent } from '../membership/member.js';
import type { FromAgent, Members } from '../membership/members.js';
import { Waiters } from './waiters.js';

const tickMs = 100;
let nextId = 1n;

/** A name for a question that no other question of this coordinator has. */
export function newQuestion(): bigint {
  return nextId++;
}

/** What agents answer, by its kind; each answer repeats the question's id. */
type AnswersOf = {
  readonly [M in FromAgent as M['value'] extends { id: bigint } ? M['$case'] : never]: M['value'];
};
/** A kind of answer. */
export type AnswerKind = keyof AnswersOf;

/** A question to some agents. */
export interface Question<K extends AnswerKind> {
  readonly id: bigint;
  /** The kind of its answer. */
  readonly answer: K;
  readonly message: (member: Member) => ToAgent;
  readonly timeoutMs: number;
  /** Ends the wait early, with the answers at hand. */
  readonly isOver: () => boolean;
}

/** An agent's answer. */
export interface Answer<K extends AnswerKind> {
  readonly member: Member;
  readonly value: AnswersOf[K];
}

/** What came of a question. */
export interface Answers<K extends AnswerKind> {
  readonly answers: readonly Answer<K>[];
  /** Who is there and did not answer in time. */
  readonly silent: readonly Member[];
}

/** Asks them all at once. Who goes meanwhile is not waited for; who comes back is asked again. */
export async function askAgents<K extends AnswerKind>(
  members: Members,
  asked: readonly Member[],
  question: Question<K>,
): Promise<Answers<K>> {
  const waiting = new Map<string, Member>();
  const answers: Answer<K>[] = [];
  const waiters = new Waiters();
  const ask = (member: Member): void => member.send(question.message(member));
  const stop = members.listen({
    joined: () => {},
    returned: (member) => {
      if (waiting.has(member.name)) ask(member);
    },
    suspected: () => {},
    lost: ({ name }) => void waiting.delete(name),
    leaving: ({ name }) => {
      waiting.delete(name);
      return false;
    },
    heartbeat: () => {},
    said: (member, message) => {
      const value = answerIn(message, question.answer);
      if (value?.id !== question.id || !waiting.delete(member.name)) return;
      answers.push({ member, value });
      waiters.wake();
    },
  });
  for (const member of asked) {
    waiting.set(member.name, member);
    ask(member);
  }
  const ticker = setInterval(() => waiters.wake(), tickMs);
  await waiters.until(() => waiting.size === 0 || question.isOver(), question.timeoutMs);
  clearInterval(ticker);
  stop();
  const byName = answers.sort((a, b) => (a.member.name < b.member.name ? -1 : 1));
  return { answers: byName, silent: question.isOver() ? [] : [...waiting.values()] };
}

/** What a message answers, when it is an answer of this kind. */
function answerIn<K extends AnswerKind>(message: FromAgent, kind: K): AnswersOf[K] | undefined {
  return message.$case === kind ? (message.value as AnswersOf[K]) : undefined;
}
