// Rewrites the parts of a page that come from a measurement, between `<!-- bench:NAME -->` and `<!-- /bench:NAME -->`.
import { readFile, writeFile } from 'node:fs/promises';

/** Puts each text between its markers; a text without markers in the page, or markers without a text, is a mistake. */
export async function rewrite(file, texts) {
  let page = await readFile(file, 'utf8');
  const marked = [...page.matchAll(/<!-- bench:([\w-]+) -->/gu)].map(([, name]) => name);
  const names = Object.keys(texts);
  const odd = [...marked.filter((name) => !names.includes(name)), ...names.filter((name) => !marked.includes(name))];
  if (odd.length > 0) throw new Error(`${file} and the bench do not have the same parts: ${odd.join(', ')}`);
  for (const [name, text] of Object.entries(texts)) {
    const between = new RegExp(`(<!-- bench:${name} -->\n).*?(<!-- /bench:${name} -->)`, 'su');
    page = page.replace(between, (_, begin, end) => `${begin}\n${text}\n\n${end}`);
  }
  await writeFile(file, page);
}
