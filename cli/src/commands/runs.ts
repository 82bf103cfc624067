/** `seedstorm runs`: the records of runs in a data folder, the newest first. */

import { type ListedRun, type RecordHead, RunRecords } from '@seedstorm/coordinator';
import { formatBytes, formatCount } from '@seedstorm/coordinator/units';
import { printable, render } from '@seedstorm/errors';
import Table from 'cli-table3';
import type { Command } from 'commander';
import { dataFolder, dataOption } from '../data-folder.js';
import { toJson } from '../json.js';

interface Options {
  readonly data?: string;
  readonly json?: boolean;
}

/** Adds the command. */
export function addRunsCommand(program: Command): void {
  program
    .command('runs')
    .summary('runs that wrote data, and whether it is still there')
    .description(
      "Lists the records of runs that a coordinator on this machine keeps in its data folder, the newest first: what each wrote, where, and what has become of it. A plan's `verify: { run: ID }` checks the data of one of them again.",
    )
    .addOption(dataOption())
    .option('--json', 'the records as JSON, without who wrote which units')
    .addHelpText('after', '\nExamples:\n  $ seedstorm runs\n  $ seedstorm runs --data /var/lib/seedstorm --json')
    .action(list);
}

async function list({ data, json }: Options): Promise<void> {
  const records = new RunRecords(dataFolder(data));
  const runs = await records.list();
  if (json === true) {
    const plain = runs.map(({ runId, file, head, error }) => ({ runId, file, ...head, error: error?.toJSON() }));
    process.stdout.write(`${toJson({ folder: records.folder, runs: plain })}\n`);
    return;
  }
  for (const { error } of runs) if (error !== undefined) process.stderr.write(`${render(error)}\n`);
  const known = runs.filter((run): run is ListedRun & { head: RecordHead } => run.head !== undefined);
  if (known.length === 0) {
    process.stdout.write(`no run is on record in ${printable(records.folder)}\n`);
    return;
  }
  const table = new Table({
    head: ['run', 'name', 'data', 'written', 'size', 'units', 'target'],
    style: { head: [], border: [], compact: true },
    colAligns: ['left', 'left', 'left', 'left', 'right', 'right', 'left'],
  });
  for (const { runId, head } of known) table.push(rowOf(runId, head).map(printable));
  process.stdout.write(`${table.toString()}\n`);
}

function rowOf(runId: string, head: RecordHead): string[] {
  const { layout, unitsWritten } = head;
  const bytes = BigInt(layout.units) * BigInt(layout.unitBytes);
  return [
    runId,
    head.name ?? '',
    head.doubt === undefined ? head.state : `${head.state}, ${head.doubt}`,
    new Date(head.startedUnixMs).toISOString().slice(0, 19).replace('T', ' '),
    formatBytes(bytes, 'binary'),
    `${formatCount(unitsWritten)} of ${formatCount(layout.units)}`,
    placesOf(head),
  ];
}

function placesOf({ target, runId }: RecordHead): string {
  if (target.kind === 'block') return target.device;
  if (target.kind === 's3') return `s3://${[target.bucket, target.prefix, runId].filter(Boolean).join('/')}/`;
  return target.runFolders.join(', ');
}
