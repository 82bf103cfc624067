/** Asks every agent whether it could use a plan's target, and lets them prove that they mean the same one. */
import { SeedstormError } from '@seedstorm/errors';
import { CheckLevel, type TargetChecked, toErrorDetail } from '@seedstorm/proto';
import type { Member } from '../membership/member.js';
import type { Members } from '../membership/members.js';
import type { ResolvedPlan } from '../plan/index.js';
import { askAgents, newQuestion } from './ask-agents.js';
import { proveShared } from './shared-target.js';
import { targetMessage } from './stage-plan.js';

/** A look at a target takes no time, unless the target hangs. */
const timeoutMs = 30_000;

/** What one agent found. */
export interface Checked {
  readonly name: string;
  readonly host: string;
  readonly checked: TargetChecked;
}

/**
 * Asks every working agent and waits for the answers of those that stay. An agent that does not answer in time has a
 * finding that says so. Ends early, with the answers at hand, when `isOver` holds.
 */
export async function checkTarget(
  members: Members,
  plan: ResolvedPlan,
  runId: string,
  isOver: () => boolean,
): Promise<Checked[]> {
  const asked = members.working();
  const id = newQuestion();
  const { answers, silent } = await askAgents(members, asked, {
    id,
    answer: 'targetChecked',
    message: (member) => ({
      $case: 'checkTarget',
      value: {
        id,
        target: targetMessage(plan.target, runId),
        blockBytes: BigInt(plan.blockBytes),
        bytes: bytesOf(plan, member, asked),
        unitBytes: BigInt(plan.layout.unitBytes),
        objectBytes: BigInt(plan.layout.unitsPerObject) * BigInt(plan.layout.unitBytes),
      },
    }),
    timeoutMs,
    isOver,
  });
  const checks: Checked[] = [
    ...answers.map(({ member: { name, host }, value }) => ({ name, host, checked: value })),
    ...silent.map(({ name, host }) => ({ name, host, checked: mute(id, name) })),
  ].sort((a, b) => (a.name < b.name ? -1 : 1));
  const isUsable = checks.every(({ checked }) => checked.findings.every(({ level }) => level !== CheckLevel.ERROR));
  if (isUsable && !isOver()) {
    for (const { agent, error } of await proveShared(members, plan, runId, isOver)) {
      const found = checks.find(({ name }) => name === agent);
      found?.checked.findings.push({ level: CheckLevel.ERROR, detail: toErrorDetail(error) });
    }
  }
  return checks;
}

/** Bytes that are to fit into the target as this agent sees it: all, or the share of its host where each has its own. */
function bytesOf(plan: ResolvedPlan, member: Member, asked: readonly Member[]): bigint {
  if (!plan.stages.some((stage) => stage.kind === 'write')) return 0n;
  const bytes = BigInt(plan.layout.units) * BigInt(plan.content.unitBytes);
  if (plan.target.kind !== 'file' || plan.target.scope === 'shared') return bytes;
  const here = asked.filter(({ host }) => host === member.host).length;
  return (bytes * BigInt(here) + BigInt(asked.length - 1)) / BigInt(asked.length);
}

/** What is said of an agent that does not answer. */
function mute(id: bigint, name: string): TargetChecked {
  const error = new SeedstormError({
    code: 'SEEDSTORM_E_TARGET_NOT_WRITABLE',
    what: `${name} got no answer from the target within ${timeoutMs / 1000} s`,
    mend: 'look whether the file system hangs on that node',
  });
  return {
    id,
    findings: [{ level: CheckLevel.ERROR, detail: toErrorDetail(error) }],
    freeBytes: 0n,
    device: '',
    lanes: 0,
    paths: [],
  };
}
