/** An engine's counters of classes of operations, as the wire has them. Must know nothing of what the classes mean. */
import type { ClassCounters } from './generated/seedstorm/v1/agent.js';
import { encodeHistogram, type GivenGains } from './histogram.js';

/** A class of operations of a pool as an engine gives it: counters since the beginning, times since the snapshot before. */
export interface PlainClass {
  readonly operation: string;
  readonly size: string;
  readonly part: boolean;
  readonly operations: number;
  readonly bytes: number;
  readonly errors: number;
  readonly service: GivenGains;
  readonly response?: GivenGains;
}

/** The wire's counters of all classes of these pools. */
export function classCounters(pools: readonly { readonly classes: readonly PlainClass[] }[]): ClassCounters[] {
  return pools.flatMap(({ classes }, pool) =>
    classes.map(({ operation, size, part, operations, bytes, errors, service, response }) => ({
      pool,
      operation,
      size,
      part,
      operations: BigInt(operations),
      bytes: BigInt(bytes),
      errors: BigInt(errors),
      service: encodeHistogram(service),
      response: response === undefined ? undefined : encodeHistogram(response),
    })),
  );
}
