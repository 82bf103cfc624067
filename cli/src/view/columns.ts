/** Text in columns without borders, for lists that other programs cut up too. */

/** Rows of cells as lines: each column as wide as its widest cell, which the others are padded to; right unless told. */
export function columns(rows: readonly (readonly string[])[], sides: readonly ('left' | 'right')[] = []): string[] {
  const widths: number[] = [];
  for (const row of rows) for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length);
  const padded = (cell: string, at: number): string =>
    sides[at] === 'left' ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0);
  return rows.map((row) => row.map(padded).join('  ').trimEnd());
}
