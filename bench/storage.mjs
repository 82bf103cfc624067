// `npm run bench:storage`: one lane's reads and writes of files beside fio, on the same files of several places, in
// interleaved rounds; tables, targets met or missed, and exit code 1 when one is missed.
//
//   --json        prints everything as JSON instead
//   --rounds N    how many rounds; each has every case of every place
//   --engine E    which way Seedstorm's I/O goes: auto, io_uring, aio or threads
//   --also DIR    measures in this folder too, on whatever storage it lies; may be given several times
//   --only PLACE  measures only these of the places; may be given several times
//   --s3          measures requests to an S3 server on loopback beside s5cmd, instead of files
//   --docs        also rewrites the tables of docs/storage-performance.md; with --s3, that of docs/s3.md
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root, setupToolchain } from '../tools/setup.mjs';
import { buildExample } from './lib/cargo.mjs';
import { rewrite } from './lib/docs.mjs';
import { fioVersion } from './lib/fio.mjs';
import { interleave } from './lib/samples.mjs';
import { asMarkdown, asText } from './lib/table.mjs';
import { Worker } from './lib/worker.mjs';
import { casesOf } from './storage/cases.mjs';
import { Measure } from './storage/measure.mjs';
import { makePlaces } from './storage/places.mjs';
import { sections } from './storage/report.mjs';
import { S3Bench, s3Environment, s3Section } from './storage/s3.mjs';
import { judge } from './storage/targets.mjs';

const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '7' },
    engine: { type: 'string', default: 'auto' },
    also: { type: 'string', multiple: true, default: [] },
    only: { type: 'string', multiple: true },
    s3: { type: 'boolean', default: false },
    docs: { type: 'boolean', default: false },
  },
});
const rounds = Number(options.rounds);
const { engine } = options;
const say = (text) => process.stderr.write(`${text}\n`);

async function measureAll(places, fio) {
  const worker = await Worker.start('the native worker', buildExample(root, 'seedstorm-engine', 'storage'), []);
  const measure = new Measure(worker, engine);
  if (fio) await measure.learnFio(places[0]);
  for (const place of places) await measure.layOut(place);
  const cases = places.flatMap((place) =>
    casesOf(place.id)
      .filter(({ program }) => program !== 'fio' || fio)
      .map((one) => ({ id: one.id, measure: () => measure.measure(place, one) })),
  );
  const samples = await interleave(cases, rounds, (round, of) =>
    say(`round ${round} of ${of - 1}${round ? '' : ' (warming up)'}`),
  );
  worker.end();
  return samples;
}

/** The same on a store; everything of it is on this host. */
async function measureStore() {
  Object.assign(process.env, s3Environment);
  const worker = await Worker.start('the native worker', buildExample(root, 'seedstorm-engine', 'storage'), []);
  const bench = await S3Bench.start(worker, join(root, 'target'));
  try {
    return await interleave(bench.cases, rounds, (round, of) =>
      say(`round ${round} of ${of - 1}${round ? '' : ' (warming up)'}`),
    );
  } finally {
    bench.end();
    worker.end();
  }
}

await setupToolchain();
if (options.s3) {
  const samples = await measureStore();
  const section = s3Section(samples);
  if (options.docs) await rewrite(join(root, 'docs/s3.md'), { [section.id]: asMarkdown(section) });
  const cases = samples.entries().map(([id, all]) => ({ id, perSecond: samples.median(id), samples: all }));
  console.log(
    options.json ? JSON.stringify({ rounds, cases, failed: Object.fromEntries(samples.failed) }) : asText(section),
  );
  for (const [id, error] of samples.failed) say(`not measured: ${id}: ${error}`);
  process.exit(samples.failed.size > 0 ? 1 : 0);
}
// Ctrl-C ends the programs that measure, and with them the bench, which then takes away what it made.
process.on('SIGINT', () => {});
const made = makePlaces(join(root, 'target/bench-storage'), options.also);
for (const reason of made.leftOut) say(`left out: ${reason}`);
const places = made.places.filter(({ id }) => !options.only || options.only.includes(id));
const machine = { cpu: cpus()[0].model, release: release(), fio: await fioVersion() };
let samples;
try {
  samples = await measureAll(places, machine.fio);
} finally {
  made.unmake();
}
const verdicts = judge(samples, places);
const report = sections({ samples, places, machine, rounds, verdicts });
if (options.docs) {
  const texts = Object.fromEntries(report.map((section) => [section.id, asMarkdown(section)]));
  await rewrite(join(root, 'docs/storage-performance.md'), texts);
  say('wrote docs/storage-performance.md');
}
if (options.json) {
  const cases = samples.entries().map(([id, all]) => ({ id, perSecond: samples.median(id), samples: all }));
  console.log(
    JSON.stringify({ machine, places, rounds, cases, failed: Object.fromEntries(samples.failed), targets: verdicts }),
  );
} else {
  console.log(report.map(asText).join('\n\n'));
  for (const [id, error] of samples.failed) console.log(`\nnot measured: ${id}: ${error}`);
}
if (verdicts.some(({ verdict }) => verdict === 'missed')) process.exitCode = 1;
