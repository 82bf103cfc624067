// What the bench of many lanes has to say, and the targets that it judges.

/** With three digits that mean something, from a µs on. */
const ms = (ns) => (ns / 1e6).toFixed(ns < 1e6 ? 3 : ns < 1e8 ? 2 : 0);
const kib = (bytes) => `${(bytes / 1024).toFixed(0)} KiB`;
const percent = (share) => `${(share * 100).toFixed(3)}%`;

/** Judged on every machine by the median, in ns. */
const targets = [
  { what: 'an engine starts', of: 'native start', value: (sample) => sample.startNs, limitNs: 1e9 },
  { what: 'an engine starts, TypeScript', of: 'typescript start', value: (sample) => sample.startNs, limitNs: 1e9 },
  {
    what: 'a snapshot, CPU of the event loop’s thread',
    of: 'typescript snapshot',
    value: (sample) => sample.loopNs,
    limitNs: 1e6,
  },
  { what: 'parked lanes, CPU in 2 s', of: 'native rest', value: (sample) => sample.cpuNs, limitNs: 1e6 },
  { what: 'closing joins all lanes', of: 'native close', value: (sample) => sample.closeNs, limitNs: 1e9 },
  {
    what: 'closing joins all lanes, TypeScript',
    of: 'typescript close',
    value: (sample) => sample.closeNs,
    limitNs: 1e9,
  },
];

/** The targets, met or missed on the machine where the median is worst. */
export function judge(samples, machines) {
  return targets.map(({ what, of, value, limitNs }) => {
    const worst = Math.max(...machines.map(({ id }) => samples.median(`${id} ${of}`, value)));
    const verdict = worst < limitNs ? 'met' : 'missed';
    return { what, asked: `< ${limitNs / 1e6} ms`, seen: `${ms(worst)} ms`, verdict };
  });
}

/** Every section of the report. */
export function sections(context) {
  return [machineSection, startSection, turnSection, snapshotSection, restSection, targetsSection].map((section) =>
    section(context),
  );
}

/** A table with a column for each machine; a row is a title, whose samples, and what of each is shown. */
function table(id, caption, rows, { samples, machines }) {
  return {
    id,
    caption,
    head: ['', ...machines.map(({ title }) => title)],
    rows: rows.map(([title, of, value, show = ms]) => [
      title,
      ...machines.map(({ id: machine }) => show(samples.median(`${machine} ${of}`, value))),
    ]),
  };
}

function machineSection({ machine, rounds, times }) {
  const rows = [
    ['CPU', machine.cpu],
    ['its cores, which all lanes share', String(machine.cores)],
    ['node', machine.node],
    ['engines of each kind × times of a case', `${rounds} × ${times}`],
  ];
  return { id: 'machine', title: 'This machine', head: ['', ''], rows };
}

const startSection = (context) =>
  table(
    'start',
    'An engine with buffers of 256 KiB: start and close in ms, memory of a lane',
    [
      ['start, native', 'native start', (sample) => sample.startNs],
      ['start, TypeScript (with reading the topology)', 'typescript start', (sample) => sample.startNs],
      ['close, native', 'native close', (sample) => sample.closeNs],
      ['close, TypeScript', 'typescript close', (sample) => sample.closeNs],
      ['resident memory of a lane', 'native start', (sample) => sample.residentBytes / sample.lanes, kib],
      ['its virtual memory', 'native start', (sample) => sample.virtualBytes / sample.lanes, kib],
    ],
    context,
  );

const turnSection = (context) =>
  table(
    'turn',
    'Lanes come to work and leave it, ms',
    [
      ['job submitted to all lanes in it', 'native job', (sample) => sample.beginNs],
      ['all lanes let go to job finished', 'native job', (sample) => sample.leaveNs],
      ['CPU of the thread that submits', 'native job', (sample) => sample.submitCpuNs],
      ['1 MiB filled by two of the lanes', 'native few', (sample) => sample.doneNs],
      ['– CPU of the process', 'native few', (sample) => sample.withNextCpuNs - sample.next.cpuNs],
      ['task asked for to all lanes at its start', 'typescript task', (sample) => sample.readyNs],
      ['its start said to all lanes running', 'typescript task', (sample) => sample.beginNs],
      ['its end said to settled promise', 'typescript task', (sample) => sample.settledNs],
    ],
    context,
  );

const snapshotSection = (context) =>
  table(
    'snapshot',
    'A snapshot of a task whose lanes all worked, ms',
    [
      ['CPU of the event loop’s thread', 'typescript snapshot', (sample) => sample.loopNs],
      ['asked for to settled promise', 'typescript snapshot', (sample) => sample.snapshotNs],
      ['buckets of histograms in it', 'typescript snapshot', (sample) => sample.buckets, String],
      ['merging histograms with counts in all buckets', 'native merge', (sample) => sample.mergeNs],
    ],
    context,
  );

const restSection = (context) => {
  const share = (sample) => sample.cpuNs / (context.restMs * 1e6);
  return table(
    'rest',
    'CPU that a process takes while all lanes are parked, of one core',
    [
      ['native', 'native rest', share, percent],
      ['TypeScript (node’s own threads included)', 'typescript rest', share, percent],
    ],
    context,
  );
};

function targetsSection({ verdicts }) {
  const rows = verdicts.map(({ what, asked, seen, verdict }) => [what, asked, seen, verdict]);
  return { id: 'targets', title: 'Targets', head: ['', 'asked', 'seen, worst engine', ''], rows };
}
