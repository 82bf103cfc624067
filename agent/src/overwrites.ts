/** What overwrote single blocks of the data, from the wire to the engine and back. Pure. */
import { SeedstormError } from '@seedstorm/errors';
import type { LateWrites, Overwrites, Pattern, ShardHistory } from '@seedstorm/native';
import type {
  MixedPattern,
  Report,
  ShardProgress,
  LateWrites as WireLateWrites,
  Overwrites as WireOverwrites,
} from '@seedstorm/proto';

const orders = ['sequential', 'random', 'strided', 'zipfian'] as const;

/**
 * What a task has to know of overwrites.
 * @throws SeedstormError MESSAGE_INVALID when a pattern is missing or not known here.
 */
export function overwritesOf({ shardUnits, layers, own }: WireOverwrites): Overwrites {
  return {
    shardUnits: Number(shardUnits),
    layers: layers.map(({ pattern, rewritten }) => ({ pattern: patternOf(pattern), rewritten })),
    ...(own === undefined ? {} : { own: patternOf(own) }),
  };
}

function patternOf(pattern: MixedPattern | undefined): Pattern {
  const order = orders.find((known) => known === pattern?.order);
  if (pattern === undefined || order === undefined) {
    throw new SeedstormError({
      code: 'SEEDSTORM_E_MESSAGE_INVALID',
      what: `the coordinator tells of blocks overwritten in an order that this agent does not know: ${JSON.stringify(pattern?.order)}`,
    });
  }
  const { stage, writesOf65536, blockBytes, strideBlocks, thetaMilli } = pattern;
  const bytes = { blockBytes: Number(blockBytes), strideBlocks: Number(strideBlocks) };
  return { stage, writesOf65536, ...bytes, order, thetaMilli };
}

/** What a range has to know of its shards. */
export function shardHistory(shard: {
  readonly layers: readonly bigint[];
  readonly done: bigint;
  readonly reserved: bigint;
  readonly limit: bigint;
  readonly operations: bigint;
}): ShardHistory {
  const { layers, done, reserved, limit, operations } = shard;
  const own = { done: Number(done), reserved: Number(reserved) };
  return { layers: layers.map(Number), ...own, limit: Number(limit), operations: Number(operations) };
}

/** What may have come late to a range. */
export function lateWrites({ units, firstGeneration, endGeneration }: WireLateWrites): LateWrites {
  return { first: Number(units?.first ?? 0n), end: Number(units?.end ?? 0n), firstGeneration, endGeneration };
}

/** How far shards have come, which the engine tells flat: done, reserved, done, reserved, … */
export function shardProgress(flat: readonly number[]): ShardProgress[] {
  const shards: ShardProgress[] = [];
  for (let i = 0; i + 1 < flat.length; i += 2)
    shards.push({ done: BigInt(flat[i] ?? 0), reserved: BigInt(flat[i + 1] ?? 0) });
  return shards;
}

/** What may be begun once a report is acknowledged: the limits of each lease's shards. */
export function reservedBy(report: Report): { readonly leaseId: bigint; readonly limits: number[] }[] {
  return report.leases.flatMap(({ leaseId, shards }) =>
    shards.length === 0 ? [] : [{ leaseId, limits: shards.map(({ reserved }) => Number(reserved)) }],
  );
}
