/** How messages about a plan show what the user wrote, and guess what was meant. */
import { distance } from 'fastest-levenshtein';

const longestShown = 60;

/** A value in quotation marks, cut when it is long. */
export function quoted(text: string): string {
  const letters = [...text.slice(0, 2 * longestShown)];
  const shown = letters.length > longestShown ? `${letters.slice(0, longestShown).join('')}…` : text;
  return `“${shown}”`;
}

/** The candidate that differs least from `text`, if it differs by no more than a slip of the hand. */
export function nearest(text: string, candidates: readonly string[]): string | undefined {
  if (text.length > longestShown) return undefined;
  const lower = text.toLowerCase();
  let best: string | undefined;
  let least = Math.max(1, Math.floor(text.length / 2)) + 1;
  for (const candidate of candidates) {
    const difference = distance(lower, candidate.toLowerCase());
    if (difference < least) [best, least] = [candidate, difference];
  }
  return best;
}

/** A list in words: `a, b and c`. */
export function inWords(items: readonly string[], conjunction = 'and'): string {
  if (items.length < 2) return items.join('');
  return `${items.slice(0, -1).join(', ')} ${conjunction} ${items.at(-1)}`;
}
