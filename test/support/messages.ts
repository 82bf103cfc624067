/** What `seedstorm run --json` prints: the operator's messages, one a line, with numbers where the wire has 64 bits. */
import type { Event, Progress, RunResult, StageResult } from '@seedstorm/proto';

/** A message as JSON holds it: seeds are decimal strings, other 64-bit numbers are numbers. */
type Plain<T> = T extends bigint
  ? number
  : T extends (infer Item)[]
    ? Plain<Item>[]
    : T extends object
      ? { [Key in keyof T]: Key extends 'seed' ? string : Plain<T[Key]> }
      : T;

/** Something happened. */
export type EventLine = { readonly type: 'event' } & Plain<Event>;
/** Where a run stands. */
export type ProgressLine = { readonly type: 'progress' } & Plain<Progress>;
/** How a run ended. */
export type ResultLine = { readonly type: 'result' } & Plain<RunResult>;
/** How a stage ended. */
export type StageLine = Plain<StageResult>;
/** A line of `seedstorm run --json`. */
export type Line = EventLine | ProgressLine | ResultLine;

/** The result, which is the last line. */
export function resultOf(lines: readonly Line[]): ResultLine {
  const last = lines.at(-1);
  if (last?.type !== 'result') throw new Error(`the last line is no result: ${JSON.stringify(last)}`);
  return last;
}

/** The first stage of this name. */
export function stageOf(result: ResultLine, name: string): StageLine {
  const stage = result.stages.find((each) => each.name === name);
  if (stage === undefined) throw new Error(`the result has no ${name} stage: ${JSON.stringify(result)}`);
  return stage;
}

/** The events of a run, of one kind or of all. */
export function eventsOf(lines: readonly Line[], kind?: string): EventLine[] {
  return lines.filter((line) => line.type === 'event').filter((event) => kind === undefined || event.kind === kind);
}

/** How much of a stage is done, from 0 to 1. */
export function fraction(progress: ProgressLine): number {
  return progress.unitsDone / progress.units;
}
