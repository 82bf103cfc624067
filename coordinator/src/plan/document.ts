/**
 * A plan's YAML as plain values whose scalars are their source texts, and the place of each of them in the file.
 * It knows YAML and nothing of what a plan may hold.
 */
import { type Place, SeedstormError } from '@seedstorm/errors';
import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from 'yaml';
import { quoted } from './quote.js';

/** The way to a value: keys of mappings and positions in lists. */
export type Path = readonly (string | number)[];

/** A plan's text as it was read. */
export interface PlanDocument {
  /** Mappings, lists, texts, and null where a key has no value. */
  readonly value: unknown;
  /** What is wrong with the YAML; when there is any, `value` may be incomplete. */
  readonly problems: readonly SeedstormError[];
  /**
   * Where a value stands, or its key. Of something that is not there, where the nearest thing around it stands.
   */
  place(path: Path, at: 'key' | 'value'): Place;
}

/** The path as it is written in messages: `stages[1].verify`. */
export function pathText(path: Path): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`;
    return text === '' ? step : `${text}.${step}`;
  }, '');
}

// A plan is a few dozen values; what passes these limits is an accident or an attack (aliases of aliases).
const maxValues = 20_000;
const maxDepth = 32;

const wordsFor: Readonly<Partial<Record<string, { what: string; mend: string }>>> = {
  MULTIPLE_DOCS: { what: 'a second YAML document begins here', mend: 'keep one plan in a file; remove the --- line' },
  NON_STRING_KEY: { what: 'a key that is a list or a mapping', mend: 'write a key such as data or target' },
  RESOURCE_EXHAUSTION: { what: 'nested too deeply for a plan', mend: 'remove the surplus brackets' },
  TAB_AS_INDENT: { what: 'not valid YAML: a tab where only spaces may indent', mend: 'indent with spaces' },
  TAG_RESOLVE_FAILED: {
    what: 'a YAML tag, which no value of a plan needs',
    mend: 'remove the word that begins with !',
  },
};

/** Reads YAML 1.2 with its core schema. `file` is the name used in places. */
export function readDocument(text: string, file: string): PlanDocument {
  const lines = new LineCounter();
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    stringKeys: true,
    uniqueKeys: false,
  });
  const found = [...document.errors, ...document.warnings];
  // What follows on running out of stack is noise: one error for each bracket.
  const exhausted = found.find((error) => error.code === 'RESOURCE_EXHAUSTION');
  const problems: SeedstormError[] = (exhausted === undefined ? found : [exhausted]).map(
    (error) =>
      new SeedstormError({
        code: 'SEEDSTORM_E_PLAN_SYNTAX',
        ...(wordsFor[error.code] ?? { what: `not valid YAML: ${error.message}` }),
        where: placeAt(error.pos[0]),
      }),
  );
  const refuse = (what: string, mend: string, node: Node | null) => {
    const where = placeAt(node?.range?.[0] ?? 0);
    problems.push(new SeedstormError({ code: 'SEEDSTORM_E_PLAN_SYNTAX', what, mend, where }));
  };

  // Filled in while the values are walked in the order of the text, where an anchor comes before its aliases.
  const anchors = new Map<string, Node>();
  const target = (node: unknown): unknown => (isAlias(node) ? anchors.get(node.source) : node);

  let values = 0;
  const convert = (given: unknown, path: Path): unknown => {
    const node = target(given);
    values += 1;
    if (values > maxValues || path.length > maxDepth) {
      const around = document.contents;
      if (values <= maxValues + 1)
        refuse('has more values, or deeper ones, than a plan can have', 'write less', around);
      values = maxValues + 1;
      return null;
    }
    if (isAlias(given) && node === undefined) {
      refuse(`there is no anchor &${given.source} before this alias`, 'write the value itself', given);
    }
    if (isNode(node) && !isAlias(node) && node.anchor !== undefined) anchors.set(node.anchor, node);
    if (isScalar(node)) {
      // `kind: null` is meant as a word; only a key with nothing behind it has no value.
      const source = node.source ?? '';
      return node.value === null && source === '' ? null : source;
    }
    if (isSeq(node)) return node.items.map((item, index) => convert(item, [...path, index]));
    if (!isMap(node)) return null;
    // Without a prototype, so that a key named __proto__ is a key like any other.
    const object: Record<string, unknown> = Object.create(null);
    const first = new Map<string, Node>();
    for (const pair of node.items) {
      const key = keyText(pair);
      const earlier = first.get(key);
      if (earlier !== undefined) {
        const line = placeAt(earlier.range?.[0] ?? 0).line;
        const name = pathText([...path, key]);
        refuse(`${quoted(name)} is given twice, first on line ${line}`, 'remove one of the two', pair.key as Node);
        continue;
      }
      first.set(key, pair.key as Node);
      object[key] = convert(pair.value, [...path, key]);
    }
    return object;
  };

  const place = (path: Path, at: 'key' | 'value'): Place => {
    let node: unknown = document.contents;
    let standing: unknown = node;
    for (const [index, step] of path.entries()) {
      const inside = target(node);
      const last = index === path.length - 1;
      if (isMap(inside)) {
        const pair = inside.items.find((each) => keyText(each) === step);
        if (pair === undefined) break;
        node = pair.value;
        const empty = isScalar(node) && node.value === null && node.source === '';
        standing = (last && at === 'key') || !last || node === null || empty ? pair.key : node;
      } else if (isSeq(inside) && typeof step === 'number' && step < inside.items.length) {
        node = inside.items[step];
        standing = node;
      } else break;
    }
    return placeAt((standing as Node | null)?.range?.[0] ?? 0);
  };

  const value = problems.length > 0 ? undefined : convert(document.contents, []);
  return { value, problems, place };
}

function keyText(pair: Pair): string {
  return isScalar(pair.key) ? (pair.key.source ?? String(pair.key.value)) : String(pair.key);
}
