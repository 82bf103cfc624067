/** `seedstorm topology`: the machine, or another one, and the placement of lanes on it. */
import { writeFileSync } from 'node:fs';
import { SeedstormError } from '@seedstorm/errors';
import { exportTopology, loadTopology, place, type TopologySource } from '@seedstorm/native';
import { type Command, Option } from 'commander';
import { toJson } from '../json.js';
import { machineView } from '../view/machine/machine-view.js';
import { addPlacementFlags, type PlacementFlags, placementOptions } from './placement-flags.js';

interface Options extends PlacementFlags {
  readonly input?: string;
  readonly synthetic?: string;
  readonly json?: boolean;
  readonly export?: string;
}

/** Adds the command. */
export function addTopologyCommand(program: Command): void {
  const command = program
    .command('topology')
    .summary('the machine and the placement on it')
    .description(
      'Shows the machine as hwloc sees it and where the lanes go: this one, as far as it is allowed, or another one from a file.',
    );
  addPlacementFlags(command)
    .option('--input <xml>', 'a machine exported by --export, or by `lstopo machine.xml`')
    .addOption(new Option('--synthetic <description>', 'a machine by hwloc’s synthetic description').conflicts('input'))
    .option('--json', 'topology and placement as JSON')
    .addOption(
      new Option('--export <xml>', 'write the machine to a new file, for --input elsewhere; - is stdout').conflicts(
        'json',
      ),
    )
    .addHelpText(
      'after',
      `
Examples:
  $ seedstorm topology
  $ seedstorm topology --export node.xml
  $ seedstorm topology --input node.xml --reserve-cores 2
  $ seedstorm topology --synthetic "package:2 numa:4 core:24 pu:2" --json`,
    )
    .action(show);
}

function show({ input, synthetic, json, export: file, ...flags }: Options): void {
  const source = {
    ...(input === undefined ? {} : { xmlFile: input }),
    ...(synthetic === undefined ? {} : { synthetic }),
  };
  if (file !== undefined) {
    write(source, file);
    return;
  }
  const topology = loadTopology(source);
  const placement = place(source, placementOptions(flags));
  if (placement.note !== undefined) process.stderr.write(`note: ${placement.note}\n`);
  process.stdout.write(json === true ? `${toJson({ topology, ...placement })}\n` : machineView(topology, placement));
}

/** A file that is there already stays as it is: it may be the only description of a node that is gone. */
function write(source: TopologySource, file: string): void {
  const xml = exportTopology(source);
  if (file === '-') {
    process.stdout.write(xml);
    return;
  }
  try {
    writeFileSync(file, xml, { flag: 'wx' });
  } catch (cause) {
    throw new SeedstormError({
      code: 'SEEDSTORM_E_IO',
      what: `the machine cannot be written to ${file}: ${cause instanceof Error ? cause.message : String(cause)}`,
      mend: 'name a new file in a folder that you may write to',
      cause,
    });
  }
  process.stderr.write(`wrote ${file}\n`);
}
