/** What a check finds, as it is gathered; how it is sent. Must not know what is checked. */
import type { SeedstormError } from '@seedstorm/errors';
import { CheckLevel, type TargetChecked, toErrorDetail } from '@seedstorm/proto';

/** A finding that is no error: a sentence on what is so, and one on what to do about it. */
export interface Remark {
  readonly what: string;
  readonly mend: string;
}

/** Adds to what one agent answers. */
export class Findings {
  constructor(private readonly checked: TargetChecked) {}

  /** The run would fail. */
  error(error: SeedstormError): void {
    this.#add(CheckLevel.ERROR, toErrorDetail(error));
  }

  /** It works, but not as one would expect. */
  warning(remark: Remark): void {
    this.#add(CheckLevel.WARNING, { code: '', ...remark });
  }

  /** Good to know. */
  info(remark: Remark): void {
    this.#add(CheckLevel.INFO, { code: '', ...remark });
  }

  #add(level: CheckLevel, detail: { code: string; what: string; mend: string }): void {
    this.checked.findings.push({ level, detail });
  }
}

/** A size for people. */
export function room(bytes: number | bigint): string {
  const amount = Number(bytes);
  for (const [unit, size] of [
    ['GiB', 1024 ** 3],
    ['MiB', 1024 ** 2],
    ['KiB', 1024],
  ] as const) {
    if (amount >= size) return `${Number((amount / size).toFixed(2))} ${unit}`;
  }
  return `${amount} bytes`;
}
