/**
 * What a run knows of the data of an earlier run, from that run's record: who wrote what and when, and what is left out because
 * nobody knows what it holds. Must not know how it is read or dealt out.
 */
import { SeedstormError } from '@seedstorm/errors';
import { fromUnixMs } from '../clock.js';
import { IntervalMap, type Range, type WriterRange } from '../ledger/index.js';
import type { EarlierData } from '../plan/index.js';
import type { Written } from '../run/standing.js';
import type { RunRecord } from './run-record.js';

/** An agent that can be asked. */
interface Present {
  readonly name: string;
  readonly host: string;
}

interface Deed {
  readonly writer: number;
  readonly afterUnixMs: number;
  readonly beforeUnixMs: number;
}

/** The data that the last write of an earlier run left. */
export class EarlierWrite implements Written {
  readonly #deeds = new IntervalMap<Deed>();
  /** Hosts of node-local data that none of the agents is on. */
  readonly absentHosts: readonly string[];
  /** For each writer, whom its units are to be dealt out by. */
  readonly #owners: readonly Present[];

  /** `present` are the agents at hand; of node-local data only those on a writer's host reach what it wrote. */
  constructor(
    private readonly record: RunRecord,
    present: readonly Present[],
  ) {
    const { head, ranges } = record;
    for (const [first, end, writer, afterUnixMs, beforeUnixMs] of ranges.ranges) {
      this.#deeds.set(first, end, { writer, afterUnixMs, beforeUnixMs });
    }
    for (const [first, end] of ranges.indeterminate) this.#deeds.delete(first, end);
    const writers = ranges.writers.map(({ agent, host }) => ({ name: agent, host }));
    const isLocal = head.target.kind === 'file' && head.target.scope === 'local';
    this.#owners = isLocal ? writers.map((writer, at) => heirOf(writer, at, present)) : writers;
    const hosts = new Set(present.map(({ host }) => host));
    const absent = isLocal ? writers.filter(({ host }) => !hosts.has(host)) : [];
    this.absentHosts = [...new Set(absent.map(({ host }) => host))].sort();
  }

  writers(): readonly WriterRange[] {
    const merged = new IntervalMap<Present | undefined>();
    for (const { first, end, value } of this.#deeds.entries) merged.set(first, end, this.#owners[value.writer]);
    return merged.entries.map(({ first, end, value }) => ({
      first,
      end,
      agent: value?.name ?? '',
      host: value?.host ?? '',
    }));
  }

  unfinished(): readonly Range[] {
    return this.#deeds.gaps(0, this.record.head.layout.units);
  }

  doneBy(unit: number): { readonly agent: string; readonly afterMs: number; readonly beforeMs: number } | undefined {
    const [deed] = this.#deeds.slice(unit, unit + 1);
    if (deed === undefined) return undefined;
    const { writer, afterUnixMs, beforeUnixMs } = deed.value;
    const agent = this.record.ranges.writers[writer]?.agent ?? '';
    return { agent, afterMs: fromUnixMs(afterUnixMs), beforeMs: fromUnixMs(beforeUnixMs) };
  }
}

/** One of the agents on a writer's host, so that they share what is there; where there is none, one that nobody is. */
function heirOf({ name, host }: Present, at: number, present: readonly Present[]): Present {
  const here = present.filter((agent) => agent.host === host);
  return here[at % here.length] ?? { name: `${name} on ${host}`, host };
}

/**
 * What a record says of the data, for a plan about it.
 * @throws SeedstormError RUN_DATA_DELETED, RUN_DATA_UNKNOWN when there is nothing that could be verified.
 */
export function earlierDataOf({ head, ranges }: RunRecord): EarlierData {
  const { runId, startedUnixMs, content, layout, target, blockBytes, grainUnits, leaseUnits, generation, names } = head;
  if (head.state === 'deleting' || head.state === 'deleted') {
    const what = `the data of run ${runId} was ${head.state === 'deleted' ? 'deleted' : 'being deleted when its coordinator ended'}`;
    throw new SeedstormError({ code: 'SEEDSTORM_E_RUN_DATA_DELETED', what });
  }
  if (head.doubt !== undefined)
    throw unknown(`${doubts[head.doubt]} run ${runId}, and its record does not say how far`);
  if (ranges.ranges.length === 0) {
    const why =
      head.state === 'writing'
        ? 'its coordinator ended before any unit was known to be written'
        : 'no unit was written';
    throw unknown(`nothing is known of what run ${runId} wrote: ${why}`);
  }
  return {
    runId,
    startedUnixMs,
    content,
    layout: {
      units: layout.units,
      unitBytes: layout.unitBytes,
      unitsPerObject: layout.unitsPerObject,
      objects: layout.objects,
      ...(layout.sizes === undefined ? {} : { sizes: layout.sizes }),
      ...(layout.tree === undefined ? {} : { tree: layout.tree }),
    },
    target: targetOf(target),
    blockBytes,
    grainUnits,
    leaseUnits,
    generation,
    ...(names === undefined ? {} : { names }),
  };
}

const doubts = {
  overwritten: 'single blocks of the data were overwritten in',
  renaming: 'a rename was under way when it ended, in',
};

/** What of the data is left out, and why: a sentence, or nothing. */
export function leftOutText({ head, ranges }: RunRecord): string | undefined {
  const indeterminate = ranges.indeterminate.reduce((sum, [first, end]) => sum + end - first, 0);
  const listed = ranges.ranges.reduce((sum, [first, end]) => sum + end - first, 0);
  const missing = head.layout.units - listed;
  if (missing === 0 && indeterminate === 0) return undefined;
  const parts = [
    ...(head.unitsFailed > 0 ? [`${head.unitsFailed} failed with I/O errors that its plan let pass`] : []),
    ...(indeterminate > 0
      ? [`${indeterminate} may be as they were before the last write: an agent that had them was lost`]
      : []),
    ...(missing > head.unitsFailed ? [`${missing - head.unitsFailed} ${notDone[head.state]}`] : []),
  ];
  return `${missing + indeterminate} of ${head.layout.units} units are left out, since nobody knows what they hold: ${parts.join(', ')}`;
}

const notDone: Record<RunRecord['head']['state'], string> = {
  writing: 'were not known to be written when its coordinator ended in the middle of the write',
  kept: 'were not written',
  deleting: 'were not written',
  deleted: 'were not written',
};

function targetOf(target: RunRecord['head']['target']): EarlierData['target'] {
  if (target.kind === 'file') return target;
  if (target.kind === 'block') {
    const { sizeBytes, ...others } = target;
    return { ...others, ...(sizeBytes === undefined ? {} : { sizeBytes }) };
  }
  const { region, ca, ...others } = target;
  return { ...others, ...(region === undefined ? {} : { region }), ...(ca === undefined ? {} : { ca }) };
}

function unknown(what: string): SeedstormError {
  return new SeedstormError({ code: 'SEEDSTORM_E_RUN_DATA_UNKNOWN', what });
}
