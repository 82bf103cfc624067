// `npm run bench:generate`: this machine's limits, Seedstorm native and through TypeScript, dgen-py and fio, in
// interleaved rounds; tables, targets met or missed, and exit code 1 when one is missed.
//
//   --json        prints everything as JSON instead
//   --quick       few and short rounds: a look, not a measurement
//   --rounds N, --ms N    how many rounds, and how long each case takes in one
//   --docs        also rewrites the tables and the picture of docs/performance.md
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root, setup } from '../tools/setup.mjs';
import { curveSizes, namesFor, order, panels } from './generate/cases.mjs';
import { measureFio } from './generate/fio.mjs';
import { model } from './generate/model.mjs';
import { cpuShare, sections } from './generate/report.mjs';
import { judge } from './generate/targets.mjs';
import { buildExample } from './lib/cargo.mjs';
import { rewrite } from './lib/docs.mjs';
import { fioVersion } from './lib/fio.mjs';
import { interleave, ofOneCore } from './lib/samples.mjs';
import { picture } from './lib/svg.mjs';
import { asMarkdown, asText } from './lib/table.mjs';
import { pythonWith } from './lib/venv.mjs';
import { Worker } from './lib/worker.mjs';

const dgenVersion = '0.3.0';
/** The event loop's delay needs this many times longer, for a 99th percentile to be one of hundreds. */
const loopDelayTimes = 5;

const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    ms: { type: 'string' },
    docs: { type: 'boolean', default: false },
  },
});
const plan = {
  rounds: Number(options.rounds ?? (options.quick ? 3 : 9)),
  milliseconds: Number(options.ms ?? (options.quick ? 20 : 100)),
};
const say = (text) => process.stderr.write(`${text}\n`);

/** dgen-py's worker, or undefined where there is no Python, no venv or no way to the package. */
async function startDgen() {
  try {
    const python = pythonWith(join(root, 'target/bench-venv'), `dgen-py==${dgenVersion}`);
    return await Worker.start('dgen-py', python, [join(root, 'bench/workers/dgen.py')]);
  } catch (error) {
    say(`dgen-py is left out: ${error.message}`);
    return undefined;
  }
}

function availableBytes() {
  const [, kibibytes] = /^MemAvailable:\s+(\d+) kB/mu.exec(readFileSync('/proc/meminfo', 'utf8'));
  return Number(kibibytes) * 1024;
}

function hugePages() {
  const choice = readFileSync('/sys/kernel/mm/transparent_hugepage/enabled', 'utf8');
  return /\[(\w+)\]/u.exec(choice)?.[1] ?? choice.trim();
}

/** How a case is measured: the worker asks, or why there is none. */
function measureBy(id, workers, fio) {
  if (id === 'fio') return fio ? measureFio : () => ({ error: 'fio is not installed' });
  const [name, ...line] = id.split(' ');
  const milliseconds = plan.milliseconds * (line[0] === 'loop-delay' ? loopDelayTimes : 1);
  const worker = workers[name];
  if (!worker) return () => ({ error: `${name} is not there` });
  const ask = () => worker.ask([...line, milliseconds].join(' '));
  return ['one', 'sync'].includes(line[1]) ? async () => ofOneCore(await ask()) : ask;
}

async function measure() {
  const workers = {
    native: await Worker.start('the native worker', buildExample(root, 'seedstorm-engine', 'measure'), []),
    typescript: await Worker.start('the TypeScript worker', process.execPath, [
      join(root, 'bench/workers/typescript.mjs'),
    ]),
    dgen: await startDgen(),
  };
  const fio = await fioVersion();
  const names = namesFor(workers.native.about, availableBytes());
  const cases = order(names).map((id) => ({ id, measure: measureBy(id, workers, fio) }));
  const samples = await interleave(cases, plan.rounds, (round, of) =>
    say(`round ${round} of ${of - 1}${round ? '' : ' (warming up)'}`),
  );
  for (const worker of Object.values(workers)) worker?.end();
  const machine = { cpu: cpus()[0].model, ...workers.native.about, hugePages: hugePages() };
  const versions = {
    node: workers.typescript.about.node,
    'dgen-py': workers.dgen?.about.version ?? 'not to be had',
    fio: fio ?? 'not installed',
  };
  return { machine, versions, plan, names, samples, cpuHad: cpuShare(samples) };
}

/** Curves with what was measured of them; a curve that nobody measured is left out. */
function drawn(samples) {
  const points = (id) =>
    curveSizes.map((size) => [size, samples.median(id(size)) / 1e9]).filter(([, rate]) => rate > 0);
  return panels.map(({ title, curves }) => ({
    title,
    curves: curves
      .map(({ id, ...curve }) => ({ ...curve, points: points(id) }))
      .filter((curve) => curve.points.length > 0),
  }));
}

async function writeDocs(report, samples) {
  await rewrite(
    join(root, 'docs/performance.md'),
    Object.fromEntries(report.map((section) => [section.id, asMarkdown(section)])),
  );
  const folder = join(root, 'docs/pictures');
  await mkdir(folder, { recursive: true });
  const title = 'Generation by chunk size';
  await writeFile(join(folder, 'chunks.svg'), picture({ title, sizes: curveSizes, panels: drawn(samples) }));
  say('wrote docs/performance.md and docs/pictures/chunks.svg');
}

await setup();
const measured = await measure();
const { machine, versions, names, samples } = measured;
const verdicts = judge(samples, names, machine);
const modelled = model(samples, names);
const report = sections({ ...measured, verdicts, model: modelled });
if (options.docs) await writeDocs(report, samples);
if (options.json) {
  const cases = samples.entries().map(([id, all]) => ({ id, perSecond: samples.median(id), samples: all }));
  const failed = Object.fromEntries(samples.failed);
  console.log(
    JSON.stringify({
      machine,
      versions,
      plan,
      cpuHad: measured.cpuHad,
      cases,
      failed,
      model: modelled,
      targets: verdicts,
    }),
  );
} else {
  console.log(report.map(asText).join('\n\n'));
  for (const error of new Set(samples.failed.values())) {
    const ids = [...samples.failed].filter(([, why]) => why === error).map(([id]) => id);
    console.log(`\nnot measured (${error}):\n  ${ids.join('\n  ')}`);
  }
}
if (verdicts.some(({ verdict }) => verdict === 'missed')) process.exitCode = 1;
