// A picture of curves: panels side by side, sizes below and GB/s on the left, both axes logarithmic, since small chunks
// and large ones are orders of magnitude apart.
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

function panel({ title, curves }, sizes, index) {
  const rates = curves.flatMap(({ points }) => points.map(([, rate]) => Math.log10(rate)));
  const bottomDecade = Math.floor(Math.min(0, ...rates));
  const topDecade = Math.max(bottomDecade + 1, Math.ceil(Math.max(0, ...rates)));
  const [low, high] = [Math.log2(sizes[0]), Math.log2(sizes.at(-1))];
  const x = (size) => place(plot.left + ((Math.log2(size) - low) / (high - low)) * plot.width);
  const y = (rate) => place(plot.top + ((topDecade - Math.log10(rate)) / (topDecade - bottomDecade)) * plot.height);
  const right = plot.left + plot.width;
  const bottom = plot.top + plot.height;
  const parts = [
    label(plot.left, 30, title, { 'font-weight': 'bold' }),
    label(plot.left - 6, 48, 'GB/s', { 'text-anchor': 'end' }),
  ];
  for (let decade = bottomDecade; decade <= topDecade; decade++) {
    const at = y(10 ** decade);
    parts.push(element('line', { x1: plot.left, y1: at, x2: right, y2: at, stroke: '#ccc' }));
    parts.push(label(plot.left - 6, at + 4, String(Number((10 ** decade).toFixed(6))), { 'text-anchor': 'end' }));
    if (decade === topDecade) break;
    for (const between of [2, 5].map((factor) => y(factor * 10 ** decade))) {
      parts.push(element('line', { x1: plot.left, y1: between, x2: right, y2: between, stroke: '#eee' }));
    }
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
