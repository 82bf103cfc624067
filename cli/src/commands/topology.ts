/** `seedstorm topology`: the machine, or another one, and the placement of lanes on it. */
import { formatBytes, parseInteger } from '@seedstorm/coordinator';
import { loadTopology, type PlacementOptions, type PoolPlacement, place, type Topology } from '@seedstorm/native';
import type { Command } from 'commander';
import { argument } from '../arguments.js';
import { toJson } from '../json.js';

/** What the placement flags of several commands give. */
export interface PlacementFlags {
  readonly lanesPerPool?: bigint;
  readonly smt?: boolean;
  readonly reserveCores?: bigint;
  readonly nodes?: number[];
}

interface Options extends PlacementFlags {
  readonly input?: string;
  readonly synthetic?: string;
  readonly json?: boolean;
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

/** Adds the command. */
export function addTopologyCommand(program: Command): void {
  const command = program
    .command('topology')
    .summary('the machine and the placement on it')
    .description(
      'Shows the machine as hwloc sees it and where the lanes go: this one, as far as it is allowed, or another one from a file.',
    );
  addPlacementFlags(command)
    .option('--input <xml>', 'a machine exported by `lstopo machine.xml`')
    .option('--synthetic <description>', 'a machine by hwloc’s synthetic description')
    .option('--json', 'topology and placement as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  $ seedstorm topology\n  $ seedstorm topology --synthetic "package:2 numa:4 core:24 pu:2" --json',
    )
    .action(show);
}

function show({ input, synthetic, json, ...flags }: Options): void {
  const source = {
    ...(input === undefined ? {} : { xmlFile: input }),
    ...(synthetic === undefined ? {} : { synthetic }),
  };
  const topology = loadTopology(source);
  const pools = place(source, placementOptions(flags));
  process.stdout.write(json === true ? `${toJson({ topology, pools })}\n` : text(topology, pools));
}

function text(topology: Topology, pools: PoolPlacement[]): string {
  const lanes = pools.reduce((sum, pool) => sum + pool.lanes.length, 0);
  const lines = [
    `${topology.name}: ${topology.packages.length} packages, ${topology.numaNodes.length} NUMA nodes, ${topology.cores.length} cores, ${topology.pus.length} PUs (${topology.allowedPus.length} allowed)`,
  ];
  for (const node of topology.numaNodes) {
    const kind = node.kind === undefined ? '' : ` ${node.kind}`;
    lines.push(
      `  NUMA node ${node.osIndex}: ${formatBytes(node.memoryBytes, 'binary')}${kind}, PUs ${list(node.cpuset)}`,
    );
    for (const pool of pools.filter((each) => each.numaNode === node.osIndex)) {
      const memory = pool.memoryNode === pool.numaNode ? '' : `, memory of node ${pool.memoryNode}`;
      lines.push(`    pool of ${pool.lanes.length} lanes on PUs ${list(pool.lanes.map((lane) => lane.pu))}${memory}`);
    }
  }
  lines.push(`placement: ${lanes} lanes in ${pools.length} pools`);
  return `${lines.join('\n')}\n`;
}

/** Numbers as ranges: 0-3,8. */
function list(numbers: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last !== undefined && number === last[1] + 1) last[1] = number;
    else ranges.push([number, number]);
  }
  return ranges.length === 0
    ? 'none'
    : ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(',');
}
