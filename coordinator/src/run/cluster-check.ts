/** What follows from the answers of all agents together: whether they see one device, and who would answer reads. Pure. */
import { SeedstormError } from '@seedstorm/errors';
import { type CheckFinding, CheckLevel, type TargetChecked, toErrorDetail } from '@seedstorm/proto';
import { bytesOfUnits, type ResolvedPlan } from '../plan/index.js';
import { cacheSentence, couldCache, memoryOf } from './data-against-memory.js';

/** What one agent found. */
export interface Checked {
  readonly name: string;
  readonly host: string;
  /** What tells one running kernel from another. */
  readonly machine: string;
  readonly checked: TargetChecked;
}

/** Adds an error to each agent whose device is not the one that most agents see. */
export function refuseOtherDevices(plan: ResolvedPlan, answers: readonly Checked[]): void {
  const { target } = plan;
  if (target.kind !== 'block') return;
  const seen = answers.filter(({ checked }) => checked.deviceBytes > 0n);
  const groups = new Map<string, Checked[]>();
  for (const answer of seen) {
    const key = deviceOf(answer);
    groups.set(key, [...(groups.get(key) ?? []), answer]);
  }
  const [most = [], ...others] = [...groups.values()].sort((a, b) => b.length - a.length);
  const [one] = most;
  for (const answer of others.flat()) {
    refuse(
      answer,
      `${target.device} is ${describe(answer)} for agent ${answer.name}, and ${one === undefined ? '' : describe(one)} for ${most.map(({ name }) => name).join(', ')}`,
      'give all agents the same device under the same path',
    );
  }
  const machines = new Set(seen.map(({ machine }) => machine));
  if (machines.size < 2) return;
  for (const answer of most.filter(({ checked }) => checked.identity === '')) {
    const what = `nothing shows that ${target.device} on ${answer.host} is the same device as on the other hosts: it has no identity`;
    refuse(answer, what, 'use a device with a world-wide name or a serial number, or agents on one host');
  }
}

/** What speaks against the plan on these agents together. */
export function clusterFindings(plan: ResolvedPlan, answers: readonly Checked[]): CheckFinding[] {
  const { target } = plan;
  const reads = plan.stages.some(({ kind }) => kind === 'read' || kind === 'verify');
  if (!reads || target.kind !== 'file' || target.direct === true) return [];
  const memory = memoryOf(answers.map(({ machine, checked: { memoryBytes } }) => ({ machine, memoryBytes })));
  const data = bytesOfUnits(plan.layout, plan.layout.units);
  if (!couldCache(data, memory.bytes)) return [];
  const what = cacheSentence(data, memory.bytes);
  const mend = 'set target.io.direct to true, or raise data.size, to measure what the storage reads';
  return [{ level: CheckLevel.WARNING, detail: { code: '', what, mend } }];
}

function deviceOf({ checked }: Checked): string {
  return `${checked.identity} ${checked.deviceBytes}`;
}

function describe({ checked }: Checked): string {
  const identity = checked.identity === '' ? 'a device without an identity' : checked.identity;
  return `${identity} of ${checked.deviceBytes} bytes`;
}

function refuse({ checked }: Checked, what: string, mend: string): void {
  const error = new SeedstormError({ code: 'SEEDSTORM_E_DEVICE_IDENTITY', what, mend });
  checked.findings.push({ level: CheckLevel.ERROR, detail: toErrorDetail(error) });
}
