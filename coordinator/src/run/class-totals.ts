/**
 * What a stage did by class of operations: what was done, with how many bytes. Counters come from each agent as they stand,
 * times as what they gained, so that the histogram of a class is kept once for the whole stage and not once an agent. Must
 * not know what the classes mean.
 */
import type { BucketGains, ClassResult, Latency } from '@seedstorm/proto';
import { LatencyTotals } from './latency-totals.js';

/** The order of size classes in a result; what is not known here comes last. */
const sizes = ['', '4KiB', '64KiB', '1MiB', '16MiB', 'larger'];

/** Which operations. */
export interface ClassName {
  readonly operation: string;
  readonly size: string;
  /** Whether they are parts of other operations, which no sum counts. */
  readonly part: boolean;
}

/** What was counted of a class, since the stage began. */
export interface ClassCounts extends ClassName {
  readonly operations: number;
  readonly bytes: number;
  readonly errors: number;
}

/** Times that a class gained in a pool. */
export interface ClassGains extends ClassName {
  readonly pool: number;
  readonly service: BucketGains;
  /** From the instants at which operations were to begin; absent where there was no rate to keep. */
  readonly response?: BucketGains;
}

/** A class's name in a map. */
export function classKey({ operation, size }: Pick<ClassName, 'operation' | 'size'>): string {
  return `${operation} ${size}`;
}

/** The times of each class over all agents of a stage. */
export class ClassTimes {
  readonly #service = new Map<string, LatencyTotals>();
  readonly #response = new Map<string, LatencyTotals>();
  readonly #allResponses = new LatencyTotals();

  /** Adds what a class gained. */
  add(gains: ClassGains): void {
    totalsOf(this.#service, classKey(gains)).add(gains.service);
    if (gains.response === undefined) return;
    totalsOf(this.#response, classKey(gains)).add(gains.response);
    if (!gains.part) this.#allResponses.add(gains.response);
  }

  /** Adds all service times of others. */
  addAll(other: ClassTimes): void {
    for (const [key, totals] of other.#service) totalsOf(this.#service, key).addAll(totals);
  }

  /** Times from the instants at which operations were to begin, all classes. */
  responses(): Latency {
    return this.#allResponses.summary();
  }

  /** A row a class, of these counts of agents and over so many seconds. */
  results(counted: Iterable<ClassCounts>, seconds: number): ClassResult[] {
    const sums = new Map<string, ClassCounts>();
    for (const counts of counted) {
      const { operations, bytes, errors } = sums.get(classKey(counts)) ?? { operations: 0, bytes: 0, errors: 0 };
      sums.set(classKey(counts), {
        ...counts,
        operations: operations + counts.operations,
        bytes: bytes + counts.bytes,
        errors: errors + counts.errors,
      });
    }
    const perSecond = (count: number): number => (seconds > 0 ? count / seconds : 0);
    const rows = [...sums].map(([key, { operation, size, operations, bytes, errors }]) => ({
      operation,
      size,
      operations: BigInt(operations),
      bytes: BigInt(bytes),
      errors: BigInt(errors),
      operationsPerSecond: perSecond(operations),
      bytesPerSecond: perSecond(bytes),
      latency: totalsOf(this.#service, key).summary(),
      response: this.#response.get(key)?.summary(),
    }));
    return rows.sort((a, b) => (a.operation < b.operation ? -1 : Number(a.operation > b.operation)) || bySize(a, b));
  }
}

function totalsOf(map: Map<string, LatencyTotals>, key: string): LatencyTotals {
  const totals = map.get(key) ?? new LatencyTotals();
  map.set(key, totals);
  return totals;
}

function bySize(a: ClassName | ClassResult, b: ClassName | ClassResult): number {
  const rank = (size: string): number => (sizes.includes(size) ? sizes.indexOf(size) : sizes.length);
  return rank(a.size) - rank(b.size);
}
