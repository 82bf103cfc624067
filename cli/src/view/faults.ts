/** The faults of a run, for people: what, where, by whom, and whether they are still there. */
import { formatCount } from '@seedstorm/coordinator/units';
import { printable } from '@seedstorm/errors';
import type { Finding, RunResult } from '@seedstorm/proto';

/** Faults that are listed; the others are in the JSON. */
const maxListed = 20;

/** How many there are of each kind, and the first of them; then what may be a late write, which is no fault. */
export function faultLines(result: RunResult): string[] {
  return [...wrongLines(result), ...indeterminateLines(result)];
}

/** Old generations that may be late writes. */
function indeterminateLines({ indeterminate, stages }: RunResult): string[] {
  const counts = stages
    .filter(({ indeterminatePlaces }) => indeterminatePlaces > 0n)
    .map(({ indeterminatePlaces, label }) => `${formatCount(indeterminatePlaces)} in ${label}`);
  if (counts.length === 0) return [];
  const lines = [`places that are indeterminate, and no faults: ${counts.join(', ')}`];
  for (const { path, offset, length, unit, generation, detail, reader } of indeterminate.slice(0, maxListed)) {
    const place = `${path} at offset ${offset}, ${length} bytes, unit ${unit}, generation ${generation}`;
    lines.push(printable(`  ${detail}: ${place}; read by ${reader}`));
  }
  if (indeterminate.length > maxListed)
    lines.push(`  … and ${formatCount(indeterminate.length - maxListed)} more, in the JSON result`);
  return lines;
}

function wrongLines({ findings, stages }: RunResult): string[] {
  const counts = stages.flatMap((stage) =>
    stage.findingCounts.map(({ kind, count }) => `${formatCount(count)} × ${kind} in ${stage.name}`),
  );
  if (counts.length === 0) return [];
  const lines = [`faults found: ${counts.join(', ')}`];
  for (const finding of findings.slice(0, maxListed)) {
    const { kind, path, offset, length, unit, generation, detail, reader } = finding;
    const about = detail === '' ? '' : ` (${detail})`;
    const place = `${path} at offset ${offset}, ${length} bytes, unit ${unit}, generation ${generation}`;
    lines.push(printable(`  ${kind}${about}: ${place}; read by ${reader}${written(finding)}${lookedAgain(finding)}`));
    if (finding.evidence !== '') {
      lines.push(printable(`    evidence: ${finding.evidence}.{actual,expected,json} on ${finding.host}`));
    }
  }
  if (findings.length > maxListed)
    lines.push(`  … and ${formatCount(findings.length - maxListed)} more, in the JSON result`);
  return lines;
}

function written({ writer, writtenAfterUnixMs, writtenBeforeUnixMs }: Finding): string {
  if (writer === '') return '';
  const time = (unixMs: bigint): string => new Date(Number(unixMs)).toISOString();
  const when =
    writtenBeforeUnixMs === 0n ? '' : ` between ${time(writtenAfterUnixMs)} and ${time(writtenBeforeUnixMs)}`;
  return `, written by ${writer}${when}`;
}

/** Whether the fault is still there, and by whose word. */
function lookedAgain({ verdict, readers }: Finding): string {
  const seen = readers.map(({ agent, saw, detail, direct }) => {
    const words = { same: 'saw the same', right: 'saw what should be there', other: `saw ${detail}` };
    const what = words[saw as keyof typeof words] ?? `could not look (${detail})`;
    return `${agent} ${what}${direct || saw === 'failed' ? '' : ' (not directly)'}`;
  });
  return `; ${verdict}${seen.length === 0 ? '' : `: read again, ${seen.join(', ')}`}`;
}
