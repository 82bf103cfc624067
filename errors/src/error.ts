/**
 * The one error class of the TypeScript side: a stable code, what happened to what, and what to do next.
 * It knows nothing of how an error is shown (see render.ts).
 */
import { catalogEntry, type ErrorCode, ExitCode, isErrorCode } from './catalog.js';

/** A place in a text file, for errors that are about one. Lines and columns count from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** What an error is made of. */
export interface ErrorParts {
  readonly code: ErrorCode;
  /** What happened, and to what: one sentence without a full stop. */
  readonly what: string;
  /** What to do next: one sentence without a full stop; the catalogue's usual mend when absent. */
  readonly mend?: string | undefined;
  readonly where?: Place | undefined;
  /** What led to it; for debugging, neither rendered nor sent. */
  readonly cause?: unknown;
  /** Further errors that the same step found, such as the other mistakes of a plan. */
  readonly details?: readonly SeedstormError[] | undefined;
}

/** An error as plain data: what goes over the wire and into JSON output. */
export interface PlainError {
  /** An `ErrorCode`, or a code of a newer version. */
  readonly code: string;
  readonly what: string;
  readonly mend: string;
  readonly where?: Place;
  readonly details?: readonly PlainError[];
}

/** What every error of ours has, whatever JavaScript's error class under it. */
interface SeedstormErrorLike extends Error {
  readonly code: ErrorCode;
  /** What happened, and to what. */
  readonly what: string;
  /** What to do next. */
  readonly mend: string;
  readonly where: Place | undefined;
  /** Further errors that the same step found; empty for most. */
  readonly details: readonly SeedstormError[];
  /** What the command ends with when this error ends it. */
  readonly exitCode: ExitCode;
  /** Plain data, without the cause. */
  toJSON(): PlainError;
}

/** Tells our errors from others, also where they extend another class of JavaScript's than `Error`. */
const ours = Symbol.for('seedstorm.error');

/** Our error on top of one of JavaScript's error classes. */
function errorOn(Base: ErrorConstructor): new (parts: ErrorParts) => SeedstormErrorLike {
  return class extends Base implements SeedstormErrorLike {
    readonly code: ErrorCode;
    readonly what: string;
    readonly mend: string;
    readonly where: Place | undefined;
    readonly details: readonly SeedstormError[];

    constructor(parts: ErrorParts) {
      super(parts.what, parts.cause === undefined ? undefined : { cause: parts.cause });
      this.code = parts.code;
      this.what = parts.what;
      this.mend = parts.mend ?? catalogEntry(parts.code).mend;
      this.where = parts.where;
      this.details = parts.details ?? [];
    }

    get [ours](): true {
      return true;
    }

    get exitCode(): ExitCode {
      return catalogEntry(this.code).exit;
    }

    toJSON(): PlainError {
      return {
        code: this.code,
        what: this.what,
        mend: this.mend,
        ...(this.where === undefined ? {} : { where: this.where }),
        ...(this.details.length === 0 ? {} : { details: this.details.map((detail) => detail.toJSON()) }),
      };
    }
  };
}

/** Every error that Seedstorm tells a person about. */
export class SeedstormError extends errorOn(Error) {
  override readonly name: string = 'SeedstormError';

  /** Every error of ours is an instance, a SeedstormRangeError too. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && ours in value;
  }

  /** The error that plain data stands for. A code that this version does not know is kept in the text of an INTERNAL. */
  static fromJSON(plain: PlainError): SeedstormError {
    const known = isErrorCode(plain.code);
    return new SeedstormError({
      code: known ? plain.code : 'SEEDSTORM_E_INTERNAL',
      what: known ? plain.what : `${plain.code}: ${plain.what}`,
      mend: plain.mend === '' ? undefined : plain.mend,
      where: plain.where,
      details: plain.details?.map((detail) => SeedstormError.fromJSON(detail)),
    });
  }
}

/** A value outside its valid range, as a library's caller expects it: a SeedstormError that is a RangeError too. */
export class SeedstormRangeError extends errorOn(RangeError) {
  override readonly name: string = 'SeedstormRangeError';

  /** `mend` names the valid range. */
  constructor(parts: Omit<ErrorParts, 'code'> & { readonly mend: string }) {
    super({ ...parts, code: 'SEEDSTORM_E_INVALID_ARGUMENT' });
  }
}

/** Whether something that was thrown is one of ours. */
export function isSeedstormError(error: unknown): error is SeedstormError {
  return error instanceof SeedstormError;
}

/** Anything that was thrown, as one of ours: what is not becomes an INTERNAL with the thrown thing as its cause. */
export function asSeedstormError(error: unknown): SeedstormError {
  if (isSeedstormError(error)) return error;
  const what = error instanceof Error ? error.message || error.name : String(error);
  return new SeedstormError({ code: 'SEEDSTORM_E_INTERNAL', what, cause: error });
}

/** What the command ends with when this was thrown. */
export function exitCodeOf(error: unknown): ExitCode {
  return isSeedstormError(error) ? error.exitCode : ExitCode.failed;
}
