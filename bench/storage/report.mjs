// What the bench of storage has to say, as sections of tables.
import { gigabytes } from '../lib/table.mjs';
import { depth, idsOf } from './cases.mjs';

const orDash = (value, show) => (value === undefined ? '–' : show(value));
const thousands = (perSecond) => orDash(perSecond, (rate) => (rate / 4096 / 1000).toFixed(1));
const milliseconds = (value) => orDash(value, (nsPerByte) => (nsPerByte * 1000).toFixed(0));
const microseconds = (value) => orDash(value, (ns) => (ns / 1000).toFixed(2));

/** Every section of the report. */
export function sections(context) {
  return [machineSection, largeSection, smallSection, targetsSection].map((section) => section(context));
}

function machineSection({ machine, places, rounds, samples }) {
  const engines = new Set(samples.entries().flatMap(([, all]) => all.flatMap((sample) => sample.engine ?? [])));
  return {
    id: 'machine',
    title: 'This machine',
    head: ['', ''],
    rows: [
      ['CPU', machine.cpu],
      ['kernel', machine.release],
      ['fio', machine.fio ?? 'not installed'],
      ['Seedstorm’s I/O', [...engines].join(', ')],
      ['blocks in flight', String(depth)],
      ['rounds', String(rounds)],
      ...places.map(({ id, what }) => [id, what]),
    ],
  };
}

const perByte = (sample) => sample.cpuNs / sample.amount;
const perOperation = (sample) => sample.cpuNs / sample.operations;

/** Rows of Seedstorm beside fio: rates and CPU of both, and how many I/Os Seedstorm had in flight. */
function beside({ samples, places }, pick, showRate, cost, showCost) {
  const row = (place, title, own, fio) => [
    `${place}: ${title}`,
    showRate(samples.median(own)),
    orDash(fio, (id) => showRate(samples.median(id))),
    showCost(samples.median(own, cost)),
    orDash(fio, (id) => showCost(samples.median(id, cost))),
    orDash(
      samples.median(own, (sample) => sample.meanInFlight),
      (mean) => mean.toFixed(1),
    ),
  ];
  return places.flatMap(({ id: place }) =>
    pick(idsOf(place)).map(([title, { own, fio }]) => row(place, title, own, fio)),
  );
}

function largeSection(context) {
  const pick = ({ create, write, shapes, read, verify }) => [
    ...(create ? [['write, new file', create]] : []),
    ['write, over a file', write],
    ...shapes.map(([shape, own]) => [`– ${shape.slice(0, -1)} 2`, { own }]),
    ['read', read],
    ['verify', { own: verify }],
  ];
  return {
    id: 'large',
    caption: `In order, blocks of 1 MiB, O_DIRECT, ${depth} in flight: GB/s and CPU ms for a GB`,
    head: ['', 'Seedstorm', 'fio', 'CPU', 'fio’s CPU', 'in flight'],
    rows: beside(context, pick, gigabytes, perByte, milliseconds),
  };
}

function smallSection(context) {
  const pick = ({ smallWrite, smallRead, smallVerify }) => [
    ['write', smallWrite],
    ['read', smallRead],
    ['verify', { own: smallVerify }],
  ];
  return {
    id: 'small',
    caption: `In order, blocks of 4 KiB, O_DIRECT, ${depth} in flight: thousands of operations a second and CPU µs for one`,
    head: ['', 'Seedstorm', 'fio', 'CPU', 'fio’s CPU', 'in flight'],
    rows: beside(context, pick, thousands, perOperation, microseconds),
  };
}

function targetsSection({ verdicts }) {
  const rows = verdicts.map(({ place, what, asked, seen = '–', spread = '–', verdict }) => [
    `${place}: ${what}`,
    asked,
    seen,
    spread,
    verdict,
  ]);
  return { id: 'targets', title: 'Targets', head: ['', 'asked', 'seen', '±', ''], rows };
}
