// The targets that Seedstorm sets itself for speed, and whether they are met.
import { median, Samples } from '../lib/samples.mjs';
import { huge, large, middle, small, tiny } from './cases.mjs';

const { ratio } = Samples;
const percent = (value) => `${(value * 100).toFixed(1)}%`;
const times = (value) => `${value.toFixed(value >= 100 ? 0 : 2)} ×`;
const gbs = (value) => `${value.toFixed(1)} GB/s`;
const ms = (value) => `${value.toFixed(2)} ms`;

/** Each target: what, how much at least (or at most), and how much it is; `value` is undefined where not measured. */
function targets(samples, names, { vaes512 }) {
  const { verify, shapes, inCache, dgenOne } = names;
  const { oneDram: scanOne, allDram: scanAll } = names.limits.find(({ operation }) => operation === 'read-scan');
  const rates = (id) => samples.each(id);
  const between = (of, to) => ratio(rates(of), rates(to));
  const gigabytes = (id) => rates(id) && median(rates(id)) / 1e9;
  const onlyVaes = vaes512 ? {} : { spared: 'this CPU has no VAES on 512 bits' };
  const delays = (cores) => samples.each(`typescript loop-delay ${cores} ${huge}`, (sample) => sample.delayP99Ms);
  // Timers of an idle loop are late too, on a machine that others share by several ms.
  const idle = delays('idle');
  const beyondIdle = delays('spare')?.map((delay, round) => Math.max(0, delay - (idle?.[round] ?? 0)));
  return [
    {
      what: 'one core, L2-sized buffer, beside dgen-py’s best one-thread rate',
      least: 4,
      show: times,
      value: ratio(rates(inCache.one), samples.bestOf(dgenOne)),
    },
    { what: 'one core, L2-sized buffer', least: 30, show: gbs, value: gigabytes(inCache.one), ...onlyVaes },
    {
      what: 'all cores, 256 MiB buffer, of non-temporal memset',
      least: 0.95,
      show: percent,
      value: between(`native fill shared ${huge}`, `native stream-memset shared ${huge}`),
    },
    {
      what: 'fillChunk at 32 MiB, of native',
      least: 0.98,
      show: percent,
      value: between(`typescript fill async ${large}`, `native fill shared ${large}`),
    },
    {
      what: 'fillChunkSync at 256 KiB, of native',
      least: 0.9,
      show: percent,
      value: between(`typescript fill sync ${middle}`, `native fill one ${middle}`),
    },
    ...[small, tiny].map((size) => ({
      what: `fillChunkSync at ${size} B, beside dgen-py`,
      least: 1,
      show: times,
      value: between(`typescript fill sync ${size}`, `dgen fill one ${size}`),
    })),
    ...shapes.flatMap(({ shape, oneCache, shared }) => [
      {
        what: `${shape.slice(5, -1)} 2 of plain, one core in cache`,
        least: 0.97,
        show: percent,
        value: between(oneCache, inCache.one),
      },
      {
        what: `${shape.slice(5, -1)} 2 of plain, all cores, 256 MiB`,
        least: 0.97,
        show: percent,
        value: between(shared, `native fill shared ${huge}`),
      },
    ]),
    {
      what: 'verify in DRAM, one core, of the read scan',
      least: 0.8,
      show: percent,
      value: between(verify.oneDram, scanOne),
    },
    {
      what: 'verify in DRAM, all cores, of the read scan',
      least: 0.8,
      show: percent,
      value: between(verify.allDram, scanAll),
    },
    { what: 'verify in cache, one core', least: 25, show: gbs, value: gigabytes(verify.oneCache), ...onlyVaes },
    {
      what: 'event loop’s delay (p99) while all lanes fill, a core left to it, beyond an idle loop’s',
      most: 5,
      show: ms,
      value: beyondIdle && median(beyondIdle),
    },
  ];
}

/** The targets with their verdicts: `met`, `missed`, `not measured` or `spared`. */
export function judge(samples, names, machine) {
  return targets(samples, names, machine).map(({ what, least, most, show, value, spared }) => {
    const asked = least === undefined ? `< ${show(most)}` : `≥ ${show(least)}`;
    if (value === undefined) return { what, asked, verdict: 'not measured' };
    const met = least === undefined ? value < most : value >= least;
    return { what, asked, value, seen: show(value), verdict: met ? 'met' : spared ? 'spared' : 'missed', why: spared };
  });
}
