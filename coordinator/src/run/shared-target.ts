/**
 * The proof that a shared target is one and the same on all agents: each writes a token there, and each looks for those
 * of its neighbours. A path that is the same by name but not mounted on one node would otherwise fill that node's disk,
 * and every verify of it would pass.
 */
import { randomBytes } from 'node:crypto';
import { SeedstormError } from '@seedstorm/errors';
import { fromErrorDetail, type ProbeTarget, type TargetProbed, type Token } from '@seedstorm/proto';
import type { Member } from '../membership/member.js';
import type { Members } from '../membership/members.js';
import type { ResolvedPlan } from '../plan/index.js';
import { type Answer, askAgents, newQuestion } from './ask-agents.js';
import { makesData, targetMessage } from './stage-plan.js';

/** An agent itself gives up looking after some seconds; one that takes longer than this hangs. */
const timeoutMs = 30_000;
/**
 * Agents that each one looks for: the next ones in a ring. To see another's file in a path is to be in the same folder,
 * so one would be enough; with a few more, one odd agent is told from a break in the ring.
 */
const neighbours = 8;
/** Others that one message names. */
const maxNamed = 8;

/** What speaks against an agent. */
export interface NotShared {
  readonly agent: string;
  readonly error: SeedstormError;
}

/** What speaks against the target being shared: nothing when it is, or need not be. */
export async function proveShared(
  members: Members,
  plan: ResolvedPlan,
  runId: string,
  isOver: () => boolean,
): Promise<NotShared[]> {
  const { target } = plan;
  const agents = members.working();
  const writes = plan.stages.some((stage) => stage.kind !== 'network' && makesData(stage.kind));
  const isShared = target.kind === 's3' || (target.kind === 'file' && target.scope === 'shared');
  // Several endpoints may lead to several stores, also when one agent is all there is.
  const ways = target.kind === 's3' ? target.endpoints.length : 1;
  if (!isShared || !writes || agents.length * ways < 2) return [];
  const proof = randomBytes(8).toString('hex');
  const tokens = agents.map((_, agent): Token => ({ agent, token: randomBytes(16).toString('hex') }));
  const ask = async (step: string, others: (index: number) => Token[]): Promise<Step> => {
    const id = newQuestion();
    const { answers, silent } = await askAgents(members, agents, {
      id,
      answer: 'targetProbed',
      message: (member) => {
        const index = agents.indexOf(member);
        const value: ProbeTarget = {
          id,
          target: targetMessage(target, runId),
          proof,
          step,
          own: tokens[index],
          others: others(index),
        };
        return { $case: 'probeTarget', value };
      },
      timeoutMs,
      isOver,
    });
    return { answers, failed: [...silent.map(mute), ...answers.flatMap(errorOf)] };
  };
  try {
    const written = await ask('write', () => []);
    if (written.failed.length > 0 || isOver()) return written.failed;
    const present = new Set(written.answers.map(({ member }) => agents.indexOf(member)));
    const ring = tokens.filter(({ agent }) => present.has(agent));
    const read = await ask('read', (index) => next(ring, index));
    return [...read.failed, ...read.answers.flatMap((answer) => blind(answer, agents))];
  } finally {
    await ask('remove', (index) => next(tokens, index));
  }
}

interface Step {
  readonly answers: readonly Answer<'targetProbed'>[];
  readonly failed: NotShared[];
}

/** Those behind `index` in the ring. */
function next(ring: readonly Token[], index: number): Token[] {
  const behind = [...ring.filter(({ agent }) => agent > index), ...ring.filter(({ agent }) => agent < index)];
  return behind.slice(0, neighbours);
}

function mute(member: Member): NotShared {
  const error = new SeedstormError({
    code: 'SEEDSTORM_E_TARGET_NOT_WRITABLE',
    what: `${member.name} got no answer from the target within ${timeoutMs / 1000} s`,
    mend: 'look whether the storage hangs, seen from that node',
  });
  return { agent: member.name, error };
}

function errorOf({ member, value }: Answer<'targetProbed'>): NotShared[] {
  return value.error === undefined ? [] : [{ agent: member.name, error: fromErrorDetail(value.error) }];
}

function blind({ member, value }: { member: Member; value: TargetProbed }, agents: readonly Member[]): NotShared[] {
  const paths = new Map<string, string[]>();
  for (const { agent, path } of value.unseen) paths.set(path, [...(paths.get(path) ?? []), agents[agent]?.name ?? '?']);
  return [...paths].map(([path, names]) => {
    const more = names.length > maxNamed ? ` and ${names.length - maxNamed} more` : '';
    return {
      agent: member.name,
      error: new SeedstormError({
        code: 'SEEDSTORM_E_TARGET_NOT_SHARED',
        what: `${member.name} on ${member.host} does not see in ${path} what ${names.slice(0, maxNamed).join(', ')}${more} wrote there`,
      }),
    };
  });
}
