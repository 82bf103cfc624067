/** The flags that describe a placement of lanes; of every command that opens an engine or shows one. */
import { parseInteger } from '@seedstorm/coordinator/units';
import type { PlacementOptions } from '@seedstorm/native';
import type { Command } from 'commander';
import { argument } from '../arguments.js';

/** What the placement flags of several commands give. */
export interface PlacementFlags {
  readonly lanesPerPool?: bigint;
  readonly smt?: boolean;
  readonly reserveCores?: bigint;
  readonly nodes?: number[];
}

/** Adds the flags that describe a placement. */
export function addPlacementFlags(command: Command): Command {
  return command
    .option('--lanes-per-pool <n>', 'at most this many lanes on a NUMA node', argument(parseInteger))
    .option('--smt', "use the cores' second hardware threads too")
    .option('--reserve-cores <n>', 'cores that get no lane', argument(parseInteger))
    .option(
      '--nodes <list>',
      'only these NUMA nodes, such as 0,2',
      argument((text) => text.split(',').map((node) => Number(parseInteger(node)))),
    );
}

/** The placement options that the flags describe. */
export function placementOptions({ lanesPerPool, smt, reserveCores, nodes }: PlacementFlags): PlacementOptions {
  return {
    ...(lanesPerPool === undefined ? {} : { lanesPerPool: Number(lanesPerPool) }),
    ...(smt === undefined ? {} : { smt }),
    ...(reserveCores === undefined ? {} : { reserveCores: Number(reserveCores) }),
    ...(nodes === undefined ? {} : { nodes }),
  };
}
