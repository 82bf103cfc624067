/**
 * I/O errors of one stage over all agents: by kind, object, agent and lane, and whether there are more than the plan lets
 * pass. Pure.
 */
import { SeedstormError } from '@seedstorm/errors';
import type { IoError } from '@seedstorm/proto';
import type { Member } from '../membership/member.js';
import type { ErrorKind, ErrorPolicy } from '../plan/index.js';
import { count } from './numbers.js';
import { participantKey } from './participant.js';

/** Rows that one agent may report: a thousand, and one a kind for those that are not kept one by one. */
const maxRowsOfAgent = 1100;
/** Rows that the result names. */
const maxNamed = 1000;

/** The I/O errors of one stage. */
export class IoErrors {
  readonly #rows = new Map<string, Map<string, IoError>>();
  readonly #ofKind = new Map<string, number>();
  #inAll = 0;

  /**
   * Takes what an agent says of its errors: counts since the stage began, so that what is said twice counts once. Gives
   * the rows that are new.
   * @throws SeedstormError MESSAGE_INVALID when it cannot be true.
   */
  take(member: Member, rows: readonly IoError[]): IoError[] {
    if (rows.length === 0) return [];
    const fresh: IoError[] = [];
    const key = participantKey(member);
    const own = this.#rows.get(key) ?? new Map<string, IoError>();
    this.#rows.set(key, own);
    for (const row of rows) {
      const at = JSON.stringify([row.kind, row.path, row.lane ?? null]);
      const more = count(row.count, 'a count of errors') - Number(own.get(at)?.count ?? 0n);
      if (more < 0 || own.size >= maxRowsOfAgent) {
        throw new SeedstormError({
          code: 'SEEDSTORM_E_MESSAGE_INVALID',
          what: `agent ${member.name} reports I/O errors that cannot be: ${more < 0 ? 'a count went back' : 'too many rows'}`,
        });
      }
      const whole = { ...row, agent: member.name };
      if (!own.has(at)) fresh.push(whole);
      own.set(at, whole);
      this.#ofKind.set(row.kind, (this.#ofKind.get(row.kind) ?? 0) + more);
      this.#inAll += more;
    }
    return fresh;
  }

  /** Errors of all kinds. */
  get inAll(): number {
    return this.#inAll;
  }

  /** The rows with the most errors. */
  rows(): IoError[] {
    const all = [...this.#rows.values()].flatMap((own) => [...own.values()]);
    return all.sort((a, b) => Number(b.count - a.count)).slice(0, maxNamed);
  }

  /** What to end the stage with when there are more errors than the plan lets pass; one that lets none pass says what failed. */
  excess({ ofKind, inAll }: ErrorPolicy): SeedstormError | undefined {
    if (inAll === 0) return undefined;
    for (const [kind, found] of this.#ofKind) {
      const most = ofKind[kind as ErrorKind] ?? 0;
      if (found > most) return this.#tooMany(`${found} ${kind} errors, and the plan lets ${most} pass`, kind);
    }
    if (this.#inAll <= inAll) return undefined;
    return this.#tooMany(`${this.#inAll} I/O errors, and the plan lets ${inAll} pass`);
  }

  #tooMany(what: string, kind?: string): SeedstormError {
    const example = this.rows().find((row) => kind === undefined || row.kind === kind);
    const one = example?.first === undefined ? '' : `; one of them: agent ${example.agent}: ${example.first.what}`;
    return new SeedstormError({
      code: 'SEEDSTORM_E_TOO_MANY_ERRORS',
      what: `${what}${one}`,
      ...(example?.first === undefined ? {} : { mend: example.first.mend }),
    });
  }
}
