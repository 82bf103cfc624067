/** What one stage needs to know of the resolved plan, and what follows from it for agents and ledger. Pure. */
import { Operation, type PrepareStage, type Target } from '@seedstorm/proto';
import type { Assign, Member as LedgerMember, LedgerOptions, WriterRange } from '../ledger/index.js';
import type { HostShare } from '../membership/host-shares.js';
import type { Member } from '../membership/member.js';
import type { ResolvedPlan, ResolvedStage, SyncMode } from '../plan/index.js';

/** What a stage needs of the plan. */
export interface StagePlan {
  readonly runId: string;
  /** Its index in the plan. */
  readonly index: number;
  /** What it is called on the wire: unlike the index, no other stage of this coordinator has it. */
  readonly wireStage: number;
  readonly name: ResolvedStage['kind'];
  readonly delayMs: number;
  readonly generation: number;
  readonly content: ResolvedPlan['content'];
  readonly layout: ResolvedPlan['layout'];
  readonly target: ResolvedPlan['target'];
  readonly blockBytes: number;
  readonly leaseUnits: number;
  /** Leases end on multiples of this. */
  readonly grainUnits: number;
  readonly leaseMs: number;
  readonly settleMs: number;
  readonly assign: ResolvedPlan['assign'];
  readonly lanesPerAgent: number | undefined;
  readonly sync: SyncMode;
  /** Whether it may begin only when nobody can still be writing or removing. */
  readonly needsSettled: boolean;
  /** Whether it clears up after a run that failed or was stopped: what agents can do without one that hangs. */
  readonly isCleanUp: boolean;
  /** Whether the run's own folder is to be removed when it is done. */
  readonly removesRunFolder: boolean;
  /** Objects that a delete leaves alone. */
  readonly sparedObjects: readonly number[];
}

/** The plan of stage `index`, `wireStage` on the wire; behind the last stage it clears up. A delete spares `sparedObjects`. */
export function stagePlan(
  plan: ResolvedPlan,
  runId: string,
  index: number,
  wireStage: number,
  stage: ResolvedStage,
  sparedObjects: readonly number[],
): StagePlan {
  return {
    runId,
    index,
    wireStage,
    name: stage.kind,
    delayMs: stage.delayMs,
    generation: stage.generation,
    content: plan.content,
    layout: plan.layout,
    target: plan.target,
    blockBytes: plan.blockBytes,
    leaseUnits: plan.leaseUnits,
    grainUnits: plan.grainUnits,
    leaseMs: plan.leaseMs,
    settleMs: plan.settleTimeoutMs,
    assign: plan.assign,
    lanesPerAgent: plan.lanesPerAgent,
    sync: stage.kind === 'write' && plan.target.kind === 'file' ? plan.target.sync : 'never',
    needsSettled: stage.kind === 'delete' || stage.kind === 'write',
    isCleanUp: index >= plan.stages.length,
    removesRunFolder: stage.kind === 'delete' && plan.target.kind === 'file',
    sparedObjects: stage.kind === 'delete' ? sparedObjects : [],
  };
}

const operations: Record<ResolvedStage['kind'], Operation> = {
  write: Operation.WRITE,
  read: Operation.READ,
  verify: Operation.VERIFY,
  generate: Operation.GENERATE,
  delete: Operation.DELETE,
};

/** The message that gets an agent ready for a stage. */
export function prepareStage(
  plan: StagePlan,
  member: Member,
  shares: ReadonlyMap<string, HostShare>,
): { $case: 'prepareStage'; value: PrepareStage } {
  const { content, layout } = plan;
  return {
    $case: 'prepareStage',
    value: {
      runId: plan.runId,
      stage: plan.wireStage,
      operation: operations[plan.name],
      content: {
        seed: content.seed,
        namespace: content.namespace,
        unitBytes: BigInt(content.unitBytes),
        dedupMilli: BigInt(content.dedupMilli),
        windowBits: content.windowBits,
        compressMilli: BigInt(content.compressMilli),
        codec: content.codec,
        recordBytes: content.recordBytes,
      },
      generation: plan.generation,
      units: BigInt(layout.units),
      unitsPerObject: BigInt(layout.unitsPerObject),
      objectSizes: [...(layout.sizes ?? [])],
      blockBytes: BigInt(plan.blockBytes),
      lanes: plan.lanesPerAgent ?? 0,
      target: targetMessage(plan.target, plan.runId),
      share: shares.get(member.name) ?? { index: 0, of: 1 },
      sparedObjects: plan.sparedObjects.map(BigInt),
      leaseMs: plan.leaseMs,
    },
  };
}

/** A plan's target on the wire. */
export function targetMessage(target: ResolvedPlan['target'], runId: string): Target {
  switch (target.kind) {
    case 'null':
      return { kind: { $case: 'null', value: {} } };
    case 'memory':
      return { kind: { $case: 'memory', value: { limitBytes: BigInt(target.limitBytes ?? 0) } } };
    case 'file': {
      const { path, direct, sync } = target;
      return { kind: { $case: 'file', value: { path, runFolder: runId, direct: String(direct), sync } } };
    }
    case 's3': {
      const { endpoints, bucket, prefix, region = '', style, ca = '', signing, attempts, backoffMs, timeoutMs } = target;
      const keys = { bucket, prefix, runFolder: runId };
      const how = { region, style, ca, signing, attempts, backoffMs, timeoutMs };
      return { kind: { $case: 's3', value: { endpoints: [...endpoints], ...keys, ...how } } };
    }
  }
}

/** The ledger of a stage: who may take what follows from what the stage does, and from who wrote the data. */
export function ledgerOptions(
  plan: StagePlan,
  times: { readonly leaseMs: number; readonly marginMs: number },
  members: readonly LedgerMember[],
  writers: readonly WriterRange[],
  nowMs: number,
): LedgerOptions {
  return {
    units: plan.layout.units,
    boundaryUnits: plan.grainUnits,
    leaseUnits: plan.leaseUnits,
    assign: assignOf(plan, members, writers, nowMs),
    leaseMs: times.leaseMs,
    marginMs: times.marginMs,
    settleMs: plan.settleMs,
    durable: plan.name !== 'write' || plan.sync !== 'never',
  };
}

function assignOf(
  plan: StagePlan,
  members: readonly LedgerMember[],
  writers: readonly WriterRange[],
  nowMs: number,
): Assign {
  const isLocal = plan.target.kind === 'memory';
  const overData = plan.name !== 'generate' && writers.length > 0;
  if (isLocal && overData) return { kind: 'dynamic', placement: { kind: 'same', writers } };
  const readsBack = plan.name === 'verify' || plan.name === 'read';
  if (plan.assign === 'static') {
    // Rotated for reading back, so that nobody reads its own writes.
    const [first, ...rest] = members;
    const rotated = readsBack && first !== undefined ? [...rest, first] : members;
    return { kind: 'static', members: rotated, nowMs };
  }
  if (readsBack && overData) return { kind: 'dynamic', placement: { kind: 'other', writers } };
  return { kind: 'dynamic', placement: { kind: 'any' } };
}
