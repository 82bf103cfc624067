/** Asks every agent whether it could use a plan's target, without changing it. */
import type { TargetChecked } from '@seedstorm/proto';
import { nowMs } from '../clock.js';
import type { FromAgent, Members } from '../membership/members.js';
import type { ResolvedPlan } from '../plan/index.js';
import { targetMessage } from './stage-plan.js';

const timeoutMs = 30_000;
let nextId = 1n;

/** What one agent found. */
export interface Checked {
  readonly name: string;
  readonly host: string;
  readonly checked: TargetChecked;
}

/** Asks every working agent and waits for the answers of those that stay. */
export async function checkTarget(members: Members, plan: ResolvedPlan, runId: string): Promise<Checked[]> {
  const id = nextId++;
  const asked = new Map(members.working().map((member) => [member.name, member]));
  const answers: Checked[] = [];
  const writes = plan.stages.some((stage) => stage.kind === 'write');
  const value = {
    id,
    target: targetMessage(plan.target, runId),
    blockBytes: BigInt(plan.blockBytes),
    bytes: writes ? BigInt(plan.layout.units) * BigInt(plan.content.unitBytes) : 0n,
  };
  await new Promise<void>((resolve) => {
    const deadline = nowMs() + timeoutMs;
    const settle = (): void => {
      const waiting = [...asked.values()].some(
        (member) => member.alive && !answers.some((a) => a.name === member.name),
      );
      if (waiting && nowMs() < deadline) return;
      stop();
      clearInterval(timer);
      resolve();
    };
    const timer = setInterval(settle, 100);
    const stop = members.listen({
      joined: () => {},
      returned: () => {},
      suspected: () => {},
      lost: settle,
      leaving: () => false,
      heartbeat: () => {},
      said: (member, message: FromAgent) => {
        if (message.$case !== 'targetChecked' || message.value.id !== id) return;
        answers.push({ name: member.name, host: member.host, checked: message.value });
        settle();
      },
    });
    for (const member of asked.values()) member.send({ $case: 'checkTarget', value });
    settle();
  });
  return answers.sort((a, b) => (a.name < b.name ? -1 : 1));
}
