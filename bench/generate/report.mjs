// What the bench has to say, as sections of tables.
import { cpuSecondsPerTb, median } from '../lib/samples.mjs';
import { gigabytes, sizeName } from '../lib/table.mjs';
import { curveSizes, huge, large, middle, panels } from './cases.mjs';
import { node, sustainedShare } from './model.mjs';

/** A chunk size is good enough from this share of the best on. */
const nearBest = 0.95;

/** Every section of the report. */
export function sections(context) {
  return [
    machineSection,
    limitsSection,
    ratesSection,
    curveSection,
    adviceSection,
    cpuSection,
    loopSection,
    modelSection,
    targetsSection,
  ].map((section) => section(context));
}

function machineSection({ machine, versions, plan, cpuHad }) {
  const rows = [
    ['CPU', machine.cpu],
    ['cores that lanes are pinned to', String(machine.lanes)],
    ['L2 of a core, all L3', `${sizeName(machine.l2Bytes)}, ${sizeName(machine.l3Bytes)}`],
    ['kernel of Seedstorm', machine.kernel],
    ['non-temporal stores of the limits', `${machine.vectorBytes} bytes wide`],
    ['transparent huge pages', machine.hugePages],
    ...Object.entries(versions).map(([name, version]) => [name, version]),
    ['rounds × time of a case', `${plan.rounds} × ${plan.milliseconds} ms`],
    ['share of its core that work on one core was given', `${(cpuHad * 100).toFixed(0)}%`],
  ];
  const notes =
    cpuHad < 0.9
      ? [
          'Other work took its share of this machine: rates of all cores are too low, by the wall clock; those of one core are by CPU time.',
        ]
      : [];
  return { id: 'machine', title: 'This machine', head: ['', ''], rows, notes };
}

function limitsSection({ samples, names }) {
  const row = (title, { oneCache, allCache, oneDram, allDram }) => [
    title,
    ...[oneCache, allCache, oneDram, allDram].map((id) => gigabytes(samples.median(id))),
  ];
  const titles = { memset: 'memset', 'stream-memset': 'non-temporal memset', 'read-scan': 'read scan' };
  return {
    id: 'limits',
    caption: `Limits of this machine, and verification beside them, GB/s (cache: ${sizeName(names.cache)} a core; DRAM: ${sizeName(names.dram)} in all)`,
    head: ['', 'cache, one core', 'cache, all', 'DRAM, one core', 'DRAM, all'],
    rows: [
      ...names.limits.map((limit) => row(titles[limit.operation], limit)),
      row('Seedstorm verifies', names.verify),
    ],
  };
}

function ratesSection({ samples, names }) {
  const rate = (id) => gigabytes(samples.median(id));
  const dgenBest = Math.max(...names.dgenOne.map((id) => samples.median(id) ?? Number.NaN));
  return {
    id: 'rates',
    caption: 'Generation, GB/s',
    head: ['', 'one core, L2-sized', 'all, each L2-sized', 'all, one of 256 MiB'],
    rows: [
      ['Seedstorm, native', rate(names.inCache.one), rate(names.inCache.all), rate(`native fill shared ${huge}`)],
      ...names.shapes.map(({ shape, oneCache, shared }) => [
        `– ${shape.slice(5, -1)} 2`,
        rate(oneCache),
        '–',
        rate(shared),
      ]),
      [
        'Seedstorm, TypeScript',
        rate(`typescript fill sync ${names.cache}`),
        '–',
        rate(`typescript fill async ${huge}`),
      ],
      ['– compress 2', '–', '–', rate(`typescript fill-compress2 async ${huge}`)],
      ['– dedup 2', '–', '–', rate(`typescript fill-dedup2 async ${huge}`)],
      [
        'dgen-py (one thread: its best chunk)',
        gigabytes(Number.isNaN(dgenBest) ? undefined : dgenBest),
        '–',
        rate(`dgen fill shared ${huge}`),
      ],
      ['fio, null engine, one job', rate('fio'), '–', '–'],
    ],
  };
}

function curveSection({ samples }) {
  const curves = panels.flatMap(({ title, curves }) => curves.map((curve) => ({ ...curve, panel: title })));
  return {
    id: 'chunks',
    caption: 'Chunk sizes, GB/s (first the curves of one core, then those of all)',
    head: ['chunk', ...curves.map(({ title }) => title.replace('Seedstorm, ', ''))],
    rows: curveSizes.map((size) => [sizeName(size), ...curves.map(({ id }) => gigabytes(samples.median(id(size))))]),
  };
}

function adviceSection({ samples }) {
  const curves = panels.flatMap(({ title, curves }) => curves.map((curve) => ({ ...curve, panel: title })));
  const rows = curves
    .filter(({ dashed }) => !dashed)
    .map(({ title, panel, id }) => {
      const rates = curveSizes.map((size) => [size, samples.median(id(size))]).filter(([, rate]) => rate !== undefined);
      const best = Math.max(...rates.map(([, rate]) => rate));
      const good = rates.filter(([, rate]) => rate >= best * nearBest).map(([size]) => sizeName(size));
      return [`${title} (${panel})`, good.join(', ') || '–'];
    });
  return { id: 'advice', caption: 'Chunk sizes within 5% of the best', head: ['', 'sizes'], rows };
}

function cpuSection({ samples, names }) {
  const seconds = (id) => samples.median(id, cpuSecondsPerTb)?.toFixed(0) ?? '–';
  const [dgenBest] = [...names.dgenOne].sort((a, b) => (samples.median(b) ?? 0) - (samples.median(a) ?? 0));
  return {
    id: 'cpu',
    caption: 'CPU seconds for a terabyte',
    head: ['', 'one core', 'all cores, 32 MiB'],
    rows: [
      ['Seedstorm, native', seconds(names.inCache.one), seconds(`native fill shared ${large}`)],
      ['Seedstorm, TypeScript', seconds(`typescript fill sync ${middle}`), seconds(`typescript fill async ${large}`)],
      ['dgen-py', seconds(dgenBest), seconds(`dgen fill shared ${large}`)],
      ['fio, null engine, blocks of 1 MiB', seconds('fio'), '–'],
    ],
  };
}

function loopSection({ samples }) {
  const row = (title, cores) => {
    const delays = samples.each(`typescript loop-delay ${cores} ${huge}`, (sample) => sample.delayP99Ms);
    const show = (pick) => (delays ? pick([...delays].sort((a, b) => a - b)).toFixed(2) : '–');
    return [title, show((sorted) => sorted[Math.floor((sorted.length - 1) / 2)]), show((sorted) => sorted.at(-1))];
  };
  return {
    id: 'loop',
    caption: 'Delay of Node’s event loop while lanes fill 256 MiB buffers, p99 of a round, ms',
    head: ['', 'median round', 'worst round'],
    rows: [row('a core left to it', 'spare'), row('lanes on every core', 'full'), row('nobody works', 'idle')],
  };
}

function modelSection({ model }) {
  const gbs = (rate) => `${rate.toFixed(0)} GB/s`;
  const carries = ({ rate, perCore, ofMemory, memoryCarries, cacheCarries }) => [
    `projected ${rate} GB/s (${perCore.toFixed(2)} a core)`,
    `${(ofMemory * 100).toFixed(0)}% of the memory’s peak: ${memoryCarries ? 'the memory carries it' : 'not through memory'}; ${cacheCarries ? 'in cache only' : 'not in cache either'}`,
  ];
  return {
    id: 'model',
    caption: `Model: ${node.name}, ${node.cores} cores at ${node.baseGhz} GHz, ${node.channels} channels of DDR5-${node.megatransfers}`,
    head: ['', ''],
    rows: [
      ['clock measured here', `${model.clockGhz.toFixed(2)} GHz`],
      ['generation measured here', `${model.generateCycles.toFixed(4)} cycles per byte`],
      ['verification measured here', `${model.verifyCycles.toFixed(4)} cycles per byte`],
      ['all cores generate, in cache', gbs(model.generateInCache)],
      ['all cores verify, in cache', gbs(model.verifyInCache)],
      ['memory’s peak', gbs(model.memory)],
      [`memory, sustained (${sustainedShare * 100}% assumed)`, gbs(model.sustained)],
      [
        `generation into memory (${(model.ofMemset * 100).toFixed(0)}% of non-temporal memset here)`,
        gbs(model.generateInMemory),
      ],
      ['cores that fill the memory', String(model.coresToFillMemory)],
      ...model.projections.map(carries),
    ],
  };
}

function targetsSection({ verdicts }) {
  const rows = verdicts.map(({ what, asked, seen = '–', verdict, why }) => [
    what,
    asked,
    seen,
    why && verdict === 'spared' ? `spared: ${why}` : verdict,
  ]);
  return { id: 'targets', title: 'Targets', head: ['', 'asked', 'seen', ''], rows };
}

/** The share of a core that native work on one core was given: near 1 on a machine that does nothing else. */
export function cpuShare(samples) {
  const shares = samples.entries().filter(([id]) => id.startsWith('native'));
  return median(
    shares.flatMap(([, all]) => all.map(({ coreShare }) => coreShare)).filter((share) => share !== undefined),
  );
}
