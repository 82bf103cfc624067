/** The one place that turns an error into the lines that a person reads. It never shows a stack trace. */
import { asSeedstormError, type SeedstormError } from './error.js';

/**
 * The error as lines, without a line feed at the end:
 *
 *     error SEEDSTORM_E_PLAN_UNKNOWN_KEY: plan.yaml:7:5: unknown key "sise" in data
 *       mend: did you mean "size"?
 *
 * Errors in `details` follow, each in the same form. Control characters, which a file name or a peer may have put
 * into a message, are replaced, so that they cannot write to the terminal.
 */
export function render(error: unknown): string {
  return lines(asSeedstormError(error)).join('\n');
}

function lines(error: SeedstormError): string[] {
  const place = error.where === undefined ? '' : `${error.where.file}:${error.where.line}:${error.where.column}: `;
  return [
    printable(`error ${error.code}: ${place}${error.what}`),
    printable(`  mend: ${error.mend}`),
    ...error.details.flatMap(lines),
  ];
}

/** Text that may come from a peer or a file name, as one line that cannot write to the terminal. */
export function printable(text: string): string {
  return text.replace(/\s*[\r\n]+\s*/gu, ' ').replace(/[\p{Cc}\p{Bidi_Control}]/gu, '\u{fffd}');
}
