/**
 * Keeps the bytes of faults on this host: what was read and what was expected, and who, where and when beside them. One
 * file is written after the other, apart from the lanes; what does not fit is counted, never waited for.
 */
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { basename, isAbsolute, join, relative } from 'node:path';
import { asSeedstormError } from '@seedstorm/errors';
import type { TaskSnapshot } from '@seedstorm/native';
import type { Finding, PrepareStage } from '@seedstorm/proto';

/** Bytes and faults that are kept of one run. */
const maxBytesOfRun = 64 * 1024 ** 2;
const maxFaultsOfRun = 1000;
/** Bytes that may wait to be written. */
const maxWaitingBytes = 16 * 1024 ** 2;
/** How long the end of the agent waits for what is still to be written. */
const lastWaitMs = 5000;

/** Where evidence goes. */
export interface EvidenceFolder {
  readonly folder: string;
  /** Whether the user chose it: then it may even be on the target. */
  readonly chosen: boolean;
}

type Fault = TaskSnapshot['findings'][number];

/** The evidence of one agent. */
export class EvidenceKeeper {
  /** What is kept of the run at hand. */
  #run = { id: '', bytes: 0, faults: 0 };
  /** The faults of that run whose bytes are kept, by the path that the coordinator knows. */
  readonly #kept = new Map<string, object>();
  #waitingBytes = 0;
  #last: Promise<void> = Promise.resolve();
  #notes: string[] = [];
  readonly #told = new Set<string>();

  constructor(
    private readonly where: EvidenceFolder,
    private readonly agent: string,
    private readonly host: string,
  ) {}

  /** Keeps the bytes of a fault, and says where: the path without what tells its files apart. 'full': it does not fit. */
  keep(stage: PrepareStage, fault: Fault): { readonly path: string } | 'full' | 'nothing' {
    const { actual, expected } = fault;
    if (actual === undefined || expected === undefined) return 'nothing';
    if (this.#isInTarget(stage)) return 'nothing';
    if (this.#run.id !== stage.runId) {
      this.#run = { id: stage.runId, bytes: 0, faults: 0 };
      this.#kept.clear();
    }
    const bytes = actual.length + expected.length;
    const { bytes: before, faults } = this.#run;
    if (before + bytes > maxBytesOfRun || faults >= maxFaultsOfRun || this.#waitingBytes + bytes > maxWaitingBytes) {
      return 'full';
    }
    this.#run.bytes += bytes;
    this.#run.faults += 1;
    this.#waitingBytes += bytes;
    const folder = join(this.where.folder, fileName(stage.runId));
    const path = join(folder, fileName(`${this.agent}-stage${stage.stage}-${basename(fault.path)}-at-${fault.offset}`));
    const about = this.#about(stage, fault);
    this.#kept.set(path, about);
    void this.#then(async () => {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await this.#warnOfTarget(stage);
      await writeFile(`${path}.actual`, actual, { mode: 0o600 });
      await writeFile(`${path}.expected`, expected, { mode: 0o600 });
      await writeFile(`${path}.json`, json(about), { mode: 0o600 });
    }).finally(() => {
      this.#waitingBytes -= bytes;
    });
    return { path };
  }

  /** The coordinator tells all that it knows of a fault: who wrote it and when, and what others saw. */
  known(finding: Finding): void {
    const about = this.#kept.get(finding.evidence);
    if (about === undefined) return;
    const { verdict, writer, writtenAfterUnixMs, writtenBeforeUnixMs } = finding;
    const readers = finding.readers.map((seen) => ({ ...seen, unixMs: undefined, at: time(seen.unixMs) }));
    const written =
      writer === '' ? undefined : { agent: writer, after: time(writtenAfterUnixMs), before: time(writtenBeforeUnixMs) };
    const whole = { ...about, readAt: time(finding.readUnixMs), verdict, readers, written };
    void this.#then(() => writeFile(`${finding.evidence}.json`, json(whole), { mode: 0o600 }));
  }

  /** What people should know of it, each once. */
  takeNotes(): string[] {
    return this.#notes.splice(0);
  }

  /** Resolves when everything is written, or after a while. */
  async written(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, lastWaitMs);
    });
    await Promise.race([this.#last, late]);
    clearTimeout(timer);
  }

  #about({ runId, stage }: PrepareStage, fault: Fault): object {
    const { kind, path, object, offset, length, unit, generation, detail, lane, fingerprint, again } = fault;
    return {
      run: runId,
      stage,
      kind,
      detail,
      path,
      object,
      offset,
      length,
      keptBytes: fault.actual?.length,
      unit,
      expectedGeneration: generation,
      reader: { agent: this.agent, host: this.host, lane },
      fingerprint,
      readAgain: again && { saw: again.saw, detail: again.detail, direct: again.direct },
    };
  }

  /** Evidence must not change what is tested: below the target it is kept only where the user said so. */
  #isInTarget({ target }: PrepareStage): boolean {
    if (target?.kind?.$case !== 'file') return false;
    const { chosen, folder } = this.where;
    const isBelow = (path: string): boolean => {
      const way = relative(path, folder);
      return !way.startsWith('..') && !isAbsolute(way);
    };
    if (!target.kind.value.paths.some(isBelow)) return false;
    this.#note(`the bytes of faults are ${chosen ? '' : 'not '}kept in ${folder}, which is on the target itself`);
    return !chosen;
  }

  async #warnOfTarget({ target }: PrepareStage): Promise<void> {
    if (target?.kind?.$case !== 'file') return;
    const { paths } = target.kind.value;
    const [own, ...tested] = await Promise.all([this.where.folder, ...paths].map((path) => stat(path)));
    if (!tested.some(({ dev }) => dev === own?.dev)) return;
    this.#note(`the bytes of faults are kept in ${this.where.folder}, on the file system that is tested`);
  }

  #note(note: string): void {
    if (this.#told.has(note)) return;
    this.#told.add(note);
    this.#notes.push(note);
  }

  #then(write: () => Promise<void>): Promise<void> {
    this.#last = this.#last.then(write).catch((error: unknown) => {
      this.#note(`the bytes of faults could not be kept in ${this.where.folder}: ${asSeedstormError(error).what}`);
    });
    return this.#last;
  }
}

/** A name that leads nowhere else. */
function fileName(name: string): string {
  const plain = name.replaceAll(/[^A-Za-z0-9._-]/gu, '_').slice(0, 200);
  return plain.startsWith('.') ? `_${plain}` : plain;
}

function time(unixMs: bigint): string | undefined {
  return unixMs === 0n ? undefined : new Date(Number(unixMs)).toISOString();
}

function json(value: object): string {
  return `${JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? Number(each) : each), 2)}\n`;
}
