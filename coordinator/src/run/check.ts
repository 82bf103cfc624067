/** Asks every agent whether it could use a plan's target, and lets them prove that they mean the same one. */
import { SeedstormError } from '@seedstorm/errors';
import { CheckLevel, type TargetChecked, toErrorDetail } from '@seedstorm/proto';
import { hostShares } from '../membership/host-shares.js';
import type { Member } from '../membership/member.js';
import type { Members } from '../membership/members.js';
import { bytesOfUnits, dataRunOf, type ResolvedPlan } from '../plan/index.js';
import { askAgents, newQuestion } from './ask-agents.js';
import { type Checked, refuseOtherDevices } from './cluster-check.js';
import { proveShared } from './shared-target.js';
import { contentMessage, makesData, targetMessage } from './stage-plan.js';

/** A look at a target takes no time, unless the target hangs. */
const timeoutMs = 30_000;

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
  const { layout } = plan;
  const asked = members.working();
  const shares = hostShares(asked.map(({ hello }) => hello));
  const id = newQuestion();
  const { answers, silent } = await askAgents(members, asked, {
    id,
    answer: 'targetChecked',
    message: (member) => ({
      $case: 'checkTarget',
      value: {
        id,
        target: targetMessage(plan.target, dataRunOf(plan)),
        blockBytes: BigInt(plan.blockBytes),
        bytes: bytesOf(plan, member, asked),
        unitBytes: BigInt(layout.unitBytes),
        objectBytes: BigInt(layout.unitsPerObject) * BigInt(layout.unitBytes),
        content: contentMessage(plan.content),
        generation: Math.max(0, ...plan.stages.map((stage) => (stage.kind === 'network' ? 0 : stage.generation))),
        dataBytes: bytesOfUnits(layout, layout.units),
        makesObjects: makesObjects(plan),
        objects: BigInt(layout.objects + (layout.tree?.directories ?? 0)),
        leaseObjects: BigInt(Math.ceil(plan.leaseUnits / layout.unitsPerObject)),
        lanes: plan.lanesPerAgent ?? ('engine' in plan.target ? plan.storageLanes : 0),
        queueDepth: plan.queueDepth,
        share: shares.get(member.name),
      },
    }),
    timeoutMs,
    isOver,
  });
  const checks: Checked[] = [
    ...answers.map(({ member, value }) => ({ ...who(member), checked: value })),
    ...silent.map((member) => ({ ...who(member), checked: mute(id, member.name) })),
  ].sort((a, b) => (a.name < b.name ? -1 : 1));
  refuseOtherDevices(plan, checks);
  const isUsable = checks.every(({ checked }) => checked.findings.every(({ level }) => level !== CheckLevel.ERROR));
  if (isUsable && !isOver()) {
    for (const { agent, error } of await proveShared(members, plan, runId, isOver)) {
      const found = checks.find(({ name }) => name === agent);
      found?.checked.findings.push({ level: CheckLevel.ERROR, detail: toErrorDetail(error) });
    }
  }
  return checks;
}

function who({ name, host, hello: { machine } }: Member): Omit<Checked, 'checked'> {
  return { name, host, machine };
}

function makesObjects({ stages }: ResolvedPlan): boolean {
  return stages.some(({ kind }) => kind !== 'network' && makesData(kind));
}

/** Bytes that are to fit into the target as this agent sees it: all, or the share of its host where each has its own. */
function bytesOf(plan: ResolvedPlan, member: Member, asked: readonly Member[]): bigint {
  if (!makesObjects(plan)) return 0n;
  const bytes = bytesOfUnits(plan.layout, plan.layout.units);
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
    identity: '',
    deviceBytes: 0n,
    memoryBytes: 0n,
    paths: [],
  };
}
