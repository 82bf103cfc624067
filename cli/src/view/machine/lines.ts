/** Lines of a tree, broken where a terminal would break them badly. */

/** The most columns of a line. */
export const columns = 100;

/** A line of a tree, as words that may be broken between, and what hangs below it. */
export interface Line {
  readonly words: readonly string[];
  readonly below: readonly Line[];
}

/** The lines of a tree, the first level without branches. */
export function drawn(lines: readonly Line[]): string[] {
  return lines.flatMap(({ words, below }) => [...broken(words, '', '  '), ...branches(below, '')]);
}

function branches(lines: readonly Line[], indent: string): string[] {
  return lines.flatMap(({ words, below }, at) => {
    const isLast = at === lines.length - 1;
    const rest = `${indent}${isLast ? '   ' : '│  '}`;
    const hang = `${rest}${below.length > 0 ? '│ ' : '  '}`;
    return [...broken(words, `${indent}${isLast ? '└─ ' : '├─ '}`, hang), ...branches(below, rest)];
  });
}

/** Words in lines of at most {@link columns}: the first after `start`, the others after `hang`. */
export function broken(words: readonly string[], start: string, hang: string): string[] {
  const lines: string[] = [];
  let line = start;
  let isEmpty = true;
  for (const word of words) {
    if (!isEmpty && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = hang;
      isEmpty = true;
    }
    line += isEmpty ? word : ` ${word}`;
    isEmpty = false;
  }
  return [...lines, line];
}
