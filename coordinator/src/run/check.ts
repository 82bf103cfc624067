/** Asks every agent whether it could use a plan's target, without changing it. */
import { SeedstormError } from '@seedstorm/errors';
import { CheckLevel, type CheckTarget, type TargetChecked, toErrorDetail } from '@seedstorm/proto';
import { hostShares } from '../membership/host-shares.js';
import type { Member } from '../membership/member.js';
import type { FromAgent, Members } from '../membership/members.js';
import type { ResolvedPlan } from '../plan/index.js';
import { type Checked, refuseOtherDevices } from './cluster-check.js';
import { contentMessage, targetMessage } from './stage-plan.js';
import { Waiters } from './waiters.js';

/** A look at a target takes no time, unless the target hangs. */
const timeoutMs = 30_000;
const tickMs = 100;
let nextId = 1n;

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
  const dataBytes = BigInt(layout.units) * BigInt(layout.unitBytes);
  const question: CheckTarget = {
    id: nextId++,
    target: targetMessage(plan.target, runId),
    blockBytes: BigInt(plan.blockBytes),
    bytes: plan.stages.some((stage) => stage.kind === 'write') ? dataBytes : 0n,
    content: contentMessage(plan.content),
    generation: Math.max(0, ...plan.stages.map((stage) => (stage.kind === 'network' ? 0 : stage.generation))),
    dataBytes,
    objects: BigInt(layout.objects),
    leaseObjects: BigInt(Math.ceil(plan.leaseUnits / layout.unitsPerObject)),
    lanes: plan.lanesPerAgent ?? ('engine' in plan.target ? plan.storageLanes : 0),
    queueDepth: plan.queueDepth,
    share: undefined,
  };
  const waiting = new Map<string, Member>();
  const answers: Checked[] = [];
  const waiters = new Waiters();
  const shares = hostShares(members.working().map(({ hello }) => hello));
  const ask = (member: Member): void =>
    member.send({ $case: 'checkTarget', value: { ...question, share: shares.get(member.name) } });
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
    said: ({ name, host, hello: { machine } }, message: FromAgent) => {
      if (message.$case !== 'targetChecked' || message.value.id !== question.id || !waiting.delete(name)) return;
      answers.push({ name, host, machine, checked: message.value });
      waiters.wake();
    },
  });
  for (const member of members.working()) {
    waiting.set(member.name, member);
    ask(member);
  }
  const ticker = setInterval(() => waiters.wake(), tickMs);
  await waiters.until(() => waiting.size === 0 || isOver(), timeoutMs);
  clearInterval(ticker);
  stop();
  if (!isOver()) {
    for (const { name, host, hello } of waiting.values()) {
      answers.push({ name, host, machine: hello.machine, checked: silent(question.id, name) });
    }
  }
  refuseOtherDevices(plan, answers);
  return answers.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** What is said of an agent that does not answer. */
function silent(id: bigint, name: string): TargetChecked {
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
  };
}
