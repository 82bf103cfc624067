// The targets that Seedstorm sets itself for storage, place by place, and whether they are met.
import { median } from '../lib/samples.mjs';
import { idsOf } from './cases.mjs';

const percent = (value) => `${(value * 100).toFixed(1)}%`;
const times = (value) => `${value.toFixed(2)} ×`;
const rate = (sample) => sample.perSecond;
const cpu = (sample) => sample.cpuNs / sample.amount;

/** Each target: what, how much at least or at most, and the two cases and the value whose ratio it is. */
function targets(place) {
  const { create, write, read, verify, shapes, smallWrite, smallRead, smallVerify } = idsOf(place);
  const share = (what, of, to, least) => ({ what, least, of, to, value: rate, show: percent });
  const beside = (what, { own, fio }, least) => ({ what, least, of: own, to: fio, value: rate, show: times });
  const cost = (what, { own, fio }) => ({ what, most: 0.5, of: own, to: fio, value: cpu, show: percent });
  return [
    ...(create
      ? [beside('write 1 MiB, new file, beside fio', create, 1), cost('– CPU for a GB, of fio’s', create)]
      : []),
    beside('write 1 MiB, over a file, beside fio', write, 1),
    cost('– CPU for a GB, of fio’s', write),
    ...shapes.map(([shape, id]) => share(`write 1 MiB, ${shape.slice(0, -1)} 2, of plain`, id, write.own, 0.97)),
    share('verify 1 MiB, of read', verify, read.own, 0.9),
    beside('write 4 KiB, IOPS beside fio', smallWrite, 0.95),
    beside('read 4 KiB, IOPS beside fio', smallRead, 0.95),
    share('verify 4 KiB, of read', smallVerify, smallRead.own, 0.9),
  ];
}

/**
 * The targets of every place with their verdicts: `met`, `missed`, `level` or `not measured`. Level: it is missed by no
 * more than the middle ratio differs from the others of its rounds, as where the storage alone sets the pace of both.
 */
export function judge(samples, places) {
  const all = places.flatMap(({ id: place }) => targets(place).map((target) => ({ place, ...target })));
  return all.map(({ place, what, least, most, of, to, value, show }) => {
    const asked = least === undefined ? `≤ ${show(most)}` : `≥ ${show(least)}`;
    const [ofAll, toAll] = [samples.each(of, value), samples.each(to, value)];
    if (!ofAll || !toAll) return { place, what, asked, verdict: 'not measured' };
    const ratios = ofAll.map((one, round) => one / toAll[round]);
    const seen = median(ratios);
    const spread = median(ratios.map((ratio) => Math.abs(ratio - seen)));
    const lacks = least === undefined ? seen - most : least - seen;
    const verdict = lacks <= 0 ? 'met' : lacks <= spread ? 'level' : 'missed';
    return { place, what, asked, value: seen, seen: show(seen), spread: show(spread), verdict };
  });
}
