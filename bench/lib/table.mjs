// Tables for the terminal and for Markdown, from the same rows. A section is `{ id, head, rows, notes }` with a
// `title`, which a page has as a heading of its own, or a `caption`, which goes with the table. Every cell is a text; the
// first column is of words, the others of numbers.

/** A section for the terminal. */
export function asText({ title, caption, head, rows, notes = [] }) {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column].length)));
  const line = (row) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))).join('  ');
  const named = head.some((cell) => cell !== '');
  return [
    title ?? caption,
    ...(named ? [head, ...rows] : rows).map((row) => `  ${line(row).trimEnd()}`),
    ...notes.map((note) => `  ${note}`),
  ].join('\n');
}

/** A section for Markdown, without a title. */
export function asMarkdown({ caption, head, rows, notes = [] }) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const table = [line(head), `|---|${'---:|'.repeat(head.length - 1)}`, ...rows.map(line)];
  return [...(caption ? [`${caption}:`] : []), table.join('\n'), ...notes].join('\n\n');
}

/** A number of bytes, as a chunk's size is said. */
export function sizeName(bytes) {
  const [unit, name] = bytes >= 2 ** 20 ? [2 ** 20, 'MiB'] : bytes >= 2 ** 10 ? [2 ** 10, 'KiB'] : [1, 'B'];
  return `${bytes / unit} ${name}`;
}

/** A rate in GB/s with three digits that mean something; a dash where there is none. */
export function gigabytes(perSecond) {
  if (perSecond === undefined) return '–';
  const rate = perSecond / 1e9;
  return rate >= 100
    ? rate.toFixed(0)
    : rate >= 10
      ? rate.toFixed(1)
      : rate >= 0.095
        ? rate.toFixed(2)
        : rate.toPrecision(2);
}
