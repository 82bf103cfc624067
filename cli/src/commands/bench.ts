/** `seedstorm bench`: how fast this node generates and verifies, by lane, pool and node. */
import { formatBytes, formatRate } from '@seedstorm/coordinator/units';
import { SeedstormError } from '@seedstorm/errors';
import { Engine, type LaneBench, type LaneExplanation } from '@seedstorm/native';
import type { Command } from 'commander';
import { argument } from '../arguments.js';
import { toJson } from '../json.js';
import { columns } from '../view/columns.js';
import { addContentFlags, type ContentFlags, contentParameters } from './content.js';
import { addEngineFlags, type EngineFlags, engineOptions } from './engine-flags.js';

interface Options extends ContentFlags, EngineFlags {
  readonly seconds: number;
  readonly explain?: boolean;
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
  addEngineFlags(addContentFlags(command))
    .option('--seconds <n>', 'how long to generate, and then to verify', argument(seconds), 1)
    .option('--explain', 'also where every lane ran and where its memory is, as the kernel tells')
    .option('--json', 'the rates as JSON, in bytes a second')
    .addHelpText(
      'after',
      '\nExamples:\n  $ seedstorm bench --seconds 3 --compress 2 --json\n  $ seedstorm bench --explain --memory strict --buffer-bytes 4MiB',
    )
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
  const engine = await Engine.start(engineOptions(options));
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
    const explained = options.explain === true ? await engine.explain() : undefined;
    for (const note of engine.notes) process.stderr.write(`note: ${note}\n`);
    if (options.json === true) {
      const byLane = lanes.map(({ lane, pu, node: numaNode, generate, verify }) => ({
        lane,
        pu,
        numaNode,
        generate,
        verify,
      }));
      const explain = explained === undefined ? {} : { explain: explained };
      process.stdout.write(`${toJson({ unit: 'bytes per second', lanes: byLane, pools, node, ...explain })}\n`);
      return;
    }
    const row = (name: string, { generate, verify }: Rates): string =>
      `${name.padEnd(28)}${formatRate(generate).padStart(14)}${formatRate(verify).padStart(14)}`;
    const lines = [`${''.padEnd(28)}${'generate'.padStart(14)}${'verify'.padStart(14)}`];
    for (const lane of lanes) lines.push(row(`lane ${lane.lane} on PU ${lane.pu}`, lane));
    for (const pool of pools) lines.push(row(`pool of NUMA node ${pool.numaNode}`, pool));
    lines.push(row('this node', node));
    if (explained !== undefined) lines.push('', ...explanation(explained));
    process.stdout.write(`${lines.join('\n')}\n`);
  } finally {
    await engine.close();
  }
}

/** Where lanes and their memory are, as a table. */
function explanation(lanes: readonly LaneExplanation[]): string[] {
  const header = [
    'lane',
    'PU asked',
    'ran on',
    'node',
    'memory on',
    'buffer',
    'page',
    'pages by node',
    'remote',
    'huge',
  ];
  const rows = lanes.map((lane) => [
    lane.lane,
    lane.pu,
    lane.ranOnPu,
    lane.numaNode,
    lane.memoryNode,
    formatBytes(lane.bufferBytes, 'binary'),
    formatBytes(lane.pageBytes, 'binary'),
    lane.pages.map(({ node, count }) => `${node}: ${count}`).join(', ') +
      (lane.unknownPages > 0 ? `, unknown: ${lane.unknownPages}` : ''),
    lane.remotePages,
    formatBytes(lane.hugeBytes, 'binary'),
  ]);
  return columns([header, ...rows.map((row) => row.map(String))]);
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
