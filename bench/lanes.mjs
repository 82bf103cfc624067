// `npm run bench:lanes`: what hundreds of lanes cost, on any machine: engines on the topologies of nodes with 384 PUs, not
// bound to PUs that are not here. Tables, targets met or missed, and exit code 1 when one is missed.
//
//   --json        prints everything as JSON instead
//   --rounds N    how often each engine is started; each time each of its cases is measured several times
//   --docs        also rewrites the tables of docs/lanes.md
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root, setup } from '../tools/setup.mjs';
import { judge, sections } from './lanes/report.mjs';
import { buildExample } from './lib/cargo.mjs';
import { rewrite } from './lib/docs.mjs';
import { Samples } from './lib/samples.mjs';
import { asMarkdown, asText } from './lib/table.mjs';
import { Worker } from './lib/worker.mjs';

const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    docs: { type: 'boolean', default: false },
  },
});
const rounds = Number(options.rounds);
/** How often a case is measured on one engine. */
const times = 5;
const restMs = 2000;
const machines = [
  { id: 'epyc-192', title: '192 lanes, 2 nodes', file: 'AMD-19h-Zen4-2xEpyc-9654.xml', smt: [] },
  { id: 'epyc-384', title: '384 lanes, 2 nodes', file: 'AMD-19h-Zen4-2xEpyc-9654.xml', smt: ['smt'] },
  { id: 'em64t-384', title: '384 lanes, 24 nodes', file: '192em64t-12gr2n8c2t.xml', smt: ['smt'] },
];
const say = (text) => process.stderr.write(`${text}\n`);

/** Starts an engine in a process of its own, measures its cases, and closes it. */
async function measure(samples, { id, file, smt }, [name, command, args, cases]) {
  const worker = await Worker.start(name, command, [...args, join(root, 'test/topologies', file), ...smt]);
  samples.add(`${id} ${name} start`, worker.about);
  for (const line of cases) {
    const [title] = line.split(' ');
    const repeated = ['rest', 'close'].includes(title) ? 1 : times;
    for (let time = 0; time < repeated; time++) samples.add(`${id} ${name} ${title}`, await worker.ask(line));
  }
  worker.end();
}

await setup();
const workers = [
  ['native', buildExample(root, 'seedstorm-engine', 'lanes'), [], ['job', 'few', 'merge', `rest ${restMs}`, 'close']],
  [
    'typescript',
    process.execPath,
    [join(root, 'bench/workers/lanes.mjs')],
    ['task', 'snapshot', `rest ${restMs}`, 'close'],
  ],
];
const samples = new Samples();
for (let round = 0; round < rounds; round++) {
  say(`round ${round + 1} of ${rounds}`);
  const order = round % 2 === 0 ? machines : machines.toReversed();
  for (const machine of order) for (const worker of workers) await measure(samples, machine, worker);
}
const machine = { cpu: cpus()[0].model, cores: cpus().length, node: process.version };
const verdicts = judge(samples, machines);
const report = sections({ samples, machines, machine, rounds, times, restMs, verdicts });
if (options.docs) {
  await rewrite(
    join(root, 'docs/lanes.md'),
    Object.fromEntries(report.map((section) => [section.id, asMarkdown(section)])),
  );
  say('wrote docs/lanes.md');
}
if (options.json) {
  const cases = samples.entries().map(([id, all]) => ({ id, samples: all }));
  console.log(JSON.stringify({ machine, rounds, cases, targets: verdicts }));
} else {
  console.log(report.map(asText).join('\n\n'));
}
if (verdicts.some(({ verdict }) => verdict === 'missed')) process.exitCode = 1;
