// A picture of curves: panels side by side, a logarithmic axis of sizes below, GB/s from 0 on the left.
import { sizeName } from './table.mjs';

const panelWidth = 470;
const plot = { left: 52, top: 58, width: 396, height: 264 };
const legendLine = 18;

const escaped = (text) => text.replace(/[&<>]/gu, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[c]);
const attributes = (all) =>
  Object.entries(all)
    .map(([name, value]) => ` ${name}="${value}"`)
    .join('');
const element = (name, all, inner = '') => `<${name}${attributes(all)}>${inner}</${name}>`;
const label = (x, y, text, more = {}) => element('text', { x, y, ...more }, escaped(text));
const place = (value) => Number(value.toFixed(1));

/** The next round number of a scale that has four to eight steps. */
function stepFor(highest) {
  const rough = Math.max(highest, 1) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
}

function panel({ title, curves }, sizes, index) {
  const highest = Math.max(0, ...curves.flatMap(({ points }) => points.map(([, rate]) => rate)));
  const step = stepFor(highest);
  const top = Math.ceil(Math.max(highest, step) / step) * step;
  const [low, high] = [Math.log2(sizes[0]), Math.log2(sizes.at(-1))];
  const x = (size) => place(plot.left + ((Math.log2(size) - low) / (high - low)) * plot.width);
  const y = (rate) => place(plot.top + (1 - rate / top) * plot.height);
  const right = plot.left + plot.width;
  const bottom = plot.top + plot.height;
  const parts = [
    label(plot.left, 30, title, { 'font-weight': 'bold' }),
    label(plot.left - 6, 48, 'GB/s', { 'text-anchor': 'end' }),
  ];
  for (let rate = 0; rate <= top; rate += step) {
    parts.push(element('line', { x1: plot.left, y1: y(rate), x2: right, y2: y(rate), stroke: '#ddd' }));
    parts.push(label(plot.left - 6, y(rate) + 4, String(rate), { 'text-anchor': 'end' }));
  }
  // Every other power of four, so that names do not touch.
  for (const size of sizes.filter((_, nth) => nth % 2 === 0)) {
    parts.push(element('line', { x1: x(size), y1: bottom, x2: x(size), y2: bottom + 4, stroke: '#888' }));
    parts.push(label(x(size), bottom + 18, sizeName(size), { 'text-anchor': 'middle' }));
  }
  curves.forEach(({ title: name, color, dashed, points }, nth) => {
    const stroke = { stroke: color, 'stroke-width': 2, ...(dashed ? { 'stroke-dasharray': '5 4' } : {}) };
    const line = points.map(([size, rate]) => `${x(size)},${y(rate)}`).join(' ');
    parts.push(element('polyline', { points: line, fill: 'none', ...stroke }));
    if (!dashed)
      parts.push(...points.map(([size, rate]) => element('circle', { cx: x(size), cy: y(rate), r: 2.5, fill: color })));
    const legendY = bottom + 44 + nth * legendLine;
    parts.push(element('line', { x1: plot.left, y1: legendY - 4, x2: plot.left + 28, y2: legendY - 4, ...stroke }));
    parts.push(label(plot.left + 36, legendY, name));
  });
  return element('g', { transform: `translate(${index * panelWidth} 0)` }, `\n${parts.join('\n')}\n`);
}

/**
 * An SVG picture. `sizes` are the powers on the axis; a panel is `{ title, curves }`, a curve
 * `{ title, color, dashed, points: [[bytes, GB/s], …] }`.
 */
export function picture({ title, sizes, panels }) {
  const width = panelWidth * panels.length;
  const height = plot.top + plot.height + 40 + Math.max(...panels.map(({ curves }) => curves.length)) * legendLine;
  const style = { 'font-family': 'sans-serif', 'font-size': 12, fill: '#222', role: 'img' };
  const frame = { xmlns: 'http://www.w3.org/2000/svg', viewBox: `0 0 ${width} ${height}`, width, height, ...style };
  const background = element('rect', { width, height, fill: '#fff' });
  const drawn = panels.map((each, index) => panel(each, sizes, index));
  return `${element('svg', frame, `\n${[element('title', {}, escaped(title)), background, ...drawn].join('\n')}\n`)}\n`;
}
