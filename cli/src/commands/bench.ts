/** `seedstorm bench`: how fast this node generates and verifies, by lane, pool and node. */
import { formatRate } from '@seedstorm/coordinator';
import { SeedstormError } from '@seedstorm/errors';
import { Engine, type LaneBench } from '@seedstorm/native';
import type { Command } from 'commander';
import { argument } from '../arguments.js';
import { toJson } from '../json.js';
import { addContentFlags, type ContentFlags, contentParameters } from './content.js';
import { addPlacementFlags, type PlacementFlags, placementOptions } from './topology.js';

interface Options extends ContentFlags, PlacementFlags {
  readonly seconds: number;
  readonly json?: boolean;
}

/** Rates in bytes a second. */
interface Rates {
  readonly generate: number;
  readonly verify: number;
}

const maxSeconds = 3600;

/** Adds the command. */
export function addBenchCommand(program: Command): void {
  const command = program
    .command('bench')
    .summary('how fast this node generates and verifies')
    .description(
      "Lets every lane generate into its own cache-sized buffer and verify it, without storage: the node's own limit.",
    );
  addPlacementFlags(addContentFlags(command))
    .option('--seconds <n>', 'how long to generate, and then to verify', argument(seconds), 1)
    .option('--json', 'the rates as JSON, in bytes a second')
    .addHelpText('after', '\nExample:\n  $ seedstorm bench --seconds 3 --compress 2 --json')
    .action(bench);
}

function seconds(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= maxSeconds)) {
    throw new SeedstormError({
      code: 'SEEDSTORM_E_INVALID_ARGUMENT',
      what: `“${text}” is no time for a bench`,
      mend: `give a number of seconds above 0, at most ${maxSeconds}`,
    });
  }
  return value;
}

async function bench(options: Options): Promise<void> {
  const engine = await Engine.start({ placement: placementOptions(options) });
  try {
    const { placement } = engine;
    process.stderr.write(`generating and verifying for ${options.seconds} s each …\n`);
    const lanes = (await engine.bench(contentParameters(options), options.seconds)).map((lane) => ({
      ...lane,
      ...rates(lane),
    }));
    const pools = placement.map(({ numaNode }, pool) => ({
      numaNode,
      ...sum(lanes.filter((lane) => lane.pool === pool)),
    }));
    const node = sum(lanes);
    if (options.json === true) {
      const byLane = lanes.map(({ lane, pu, node: numaNode, generate, verify }) => ({
        lane,
        pu,
        numaNode,
        generate,
        verify,
      }));
      process.stdout.write(`${toJson({ unit: 'bytes per second', lanes: byLane, pools, node })}\n`);
      return;
    }
    const row = (name: string, { generate, verify }: Rates): string =>
      `${name.padEnd(28)}${formatRate(generate).padStart(14)}${formatRate(verify).padStart(14)}`;
    const lines = [`${''.padEnd(28)}${'generate'.padStart(14)}${'verify'.padStart(14)}`];
    for (const lane of lanes) lines.push(row(`lane ${lane.lane} on PU ${lane.pu}`, lane));
    for (const pool of pools) lines.push(row(`pool of NUMA node ${pool.numaNode}`, pool));
    lines.push(row('this node', node));
    process.stdout.write(`${lines.join('\n')}\n`);
  } finally {
    await engine.close();
  }
}

function rates(lane: LaneBench): Rates {
  const rate = (bytes: number, ns: number): number => (ns > 0 ? (bytes / ns) * 1e9 : 0);
  return { generate: rate(lane.generatedBytes, lane.generateNs), verify: rate(lane.verifiedBytes, lane.verifyNs) };
}

function sum(lanes: readonly Rates[]): Rates {
  return {
    generate: lanes.reduce((total, lane) => total + lane.generate, 0),
    verify: lanes.reduce((total, lane) => total + lane.verify, 0),
  };
}
