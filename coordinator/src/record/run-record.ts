/**
 * What is kept of a run so that its data can be found and verified later, by whoever has the record: where it is, what it must
 * hold, who wrote what and when, and what nobody knows. It holds no secrets. Its file is lines of JSON: the head, then the
 * ranges, so that a list of runs need not read who wrote what.
 */
import { z } from 'zod';
import { codecs, ioEngines, syncModes } from '../plan/choices.js';
import { runIdPattern } from '../plan/schema-stages.js';

/** The version of the file that this software writes, and the only one that it reads. */
export const recordVersion = 1;

const natural = z.int().min(0);
const unixMs = z.number().min(0);
const paths = z.array(z.string().min(1)).min(1);
const autoOrBoolean = z.union([z.boolean(), z.literal('auto')]);

const content = z.strictObject({
  seed: z
    .string()
    .regex(/^\d{1,20}$/u)
    .transform((digits) => BigInt(digits))
    .refine((seed) => seed < 2n ** 64n),
  namespace: z.string().max(255),
  unitBytes: natural.min(1),
  dedupMilli: natural.min(1000),
  windowBits: natural,
  compressMilli: natural.min(1000),
  codec: z.enum(codecs),
  recordBytes: natural.min(1),
});

const tree = z.strictObject({
  directories: natural.min(1),
  filesPerDirectory: natural.min(1),
  fileBytes: natural,
  branching: natural,
});

const layout = z.strictObject({
  units: natural.min(1),
  unitBytes: natural.min(1),
  unitsPerObject: natural.min(1),
  objects: natural.min(1),
  sizes: z.array(natural.min(1)).optional(),
  tree: tree.optional(),
});

const target = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('file'),
    paths,
    runFolders: paths,
    scope: z.enum(['shared', 'local']),
    shareTarget: z.boolean(),
    direct: autoOrBoolean,
    sync: z.enum(syncModes),
    engine: z.enum(ioEngines),
    preallocate: autoOrBoolean,
  }),
  z.strictObject({
    kind: z.literal('block'),
    device: z.string().min(1),
    offsetBytes: natural,
    sizeBytes: natural.optional(),
    sync: z.enum(syncModes),
    engine: z.enum(ioEngines),
  }),
  z.strictObject({
    kind: z.literal('s3'),
    endpoints: paths,
    bucket: z.string().min(1),
    prefix: z.string(),
    region: z.string().optional(),
    style: z.enum(['path', 'virtual']),
    ca: z.string().optional(),
    signing: z.enum(['signed', 'unsigned']),
    attempts: natural.min(1),
    backoffMs: natural,
    timeoutMs: natural,
    shareTarget: z.boolean(),
  }),
]);

/** The first line of a record. */
export const recordHeadSchema = z.strictObject({
  format: z.literal('seedstorm-run-record'),
  version: z.literal(recordVersion),
  runId: z.string().regex(runIdPattern),
  name: z.string().optional(),
  /** The version of the software that wrote it. */
  software: z.string(),
  startedUnixMs: unixMs,
  updatedUnixMs: unixMs,
  /**
   * writing: a write had begun and was not known to have ended. kept: the data is there as the ranges say. deleting: a delete
   * had begun and was not known to have ended. deleted: it is gone, but for objects with faults.
   */
  state: z.enum(['writing', 'kept', 'deleting', 'deleted']),
  content,
  layout,
  target,
  /** What the block device is known by, as the agents saw it. */
  deviceIdentity: z.string().optional(),
  blockBytes: natural.min(1),
  grainUnits: natural.min(1),
  leaseUnits: natural.min(1),
  /** Of the last write. */
  generation: natural,
  /** What the files of a tree are called. */
  names: z.strictObject({ renames: natural, shift: natural }).optional(),
  /**
   * Why nobody who has this record alone can say what the data must be. overwritten: single blocks were, by a mixed stage.
   * renaming: a rename had begun and was not known to have ended.
   */
  doubt: z.enum(['overwritten', 'renaming']).optional(),
  /** Units of the last write that are known to be done. */
  unitsWritten: natural,
  /** Units whose write failed with errors that the plan let pass. */
  unitsFailed: natural,
  /** Units that may be as before the last write: an agent was lost whose writes were not durable, or may come late. */
  unitsIndeterminate: natural,
});

const range = z.tuple([natural, natural]);

/** The second line of a record: who wrote what. */
export const recordRangesSchema = z.strictObject({
  writers: z.array(z.strictObject({ agent: z.string(), host: z.string() })),
  /** Units [first, end), the index of who wrote them, and between when, in ms since 1970; ascending and apart. */
  ranges: z.array(z.tuple([natural, natural, natural, unixMs, unixMs])),
  /** Of those ranges, what may be as before the last write. */
  indeterminate: z.array(range),
});

/** The first line of a record. */
export type RecordHead = z.output<typeof recordHeadSchema>;
/** Who wrote what, when. */
export type RecordRanges = z.output<typeof recordRangesSchema>;
/** What is kept of a run. */
export interface RunRecord {
  readonly head: RecordHead;
  readonly ranges: RecordRanges;
}

/** The record as the text of its file. */
export function recordText({ head, ranges }: RunRecord): string {
  const { content } = head;
  const plain = { ...head, content: { ...content, seed: String(content.seed) } };
  return `${JSON.stringify(plain)}\n${JSON.stringify(ranges)}\n`;
}

/** The head that a line holds, or what is wrong with it. */
export function readHead(line: string): RecordHead | { readonly wrong: string } {
  const value = json(line);
  if (typeof value !== 'object' || value === null || !('format' in value) || value.format !== 'seedstorm-run-record') {
    return { wrong: 'it is no record of a run' };
  }
  if (!('version' in value) || value.version !== recordVersion) {
    const version = 'version' in value ? String(value.version).slice(0, 20) : 'none';
    return { wrong: `its version is ${version}, and this software reads version ${recordVersion}` };
  }
  const result = recordHeadSchema.safeParse(value);
  return result.success ? result.data : { wrong: firstIssue(result.error) };
}

/** The ranges that a line holds, which belong to a head, or what is wrong with them. */
export function readRanges(line: string, { layout }: RecordHead): RecordRanges | { readonly wrong: string } {
  const result = recordRangesSchema.safeParse(json(line));
  if (!result.success) return { wrong: firstIssue(result.error) };
  const { ranges, writers, indeterminate } = result.data;
  const isApart = (list: readonly (readonly [number, number, ...unknown[]])[]): boolean =>
    list.every(([first, end], at) => first < end && first >= (list[at - 1]?.[1] ?? 0) && end <= layout.units);
  if (!isApart(ranges) || !isApart(indeterminate)) return { wrong: 'its ranges overlap, or lie outside of the data' };
  if (ranges.some(([, , writer]) => writer >= writers.length))
    return { wrong: 'it names a writer that it does not know' };
  return result.data;
}

function json(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function firstIssue({ issues: [first] }: z.ZodError): string {
  return `${first?.path.join('.') || 'it'}: ${first?.message ?? 'is not valid'}`.slice(0, 200);
}
