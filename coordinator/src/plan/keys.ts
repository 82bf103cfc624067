/** Every key that the schema knows, as one flat list: for messages and for the reference page. */
import { z } from 'zod';
import type { Path } from './document.js';
import { type KeyDoc, keyDocs } from './key-docs.js';
import { leafDocs } from './leaf.js';
import { planSchema } from './schema.js';

/** One key of a plan. */
export interface PlanKey {
  /** Names from the root to the key; positions in lists are left out. */
  readonly path: readonly string[];
  /** The kind of target that the key belongs to; undefined for keys of every plan. */
  readonly targetKind: string | undefined;
  readonly required: boolean;
  /** What values the key takes; undefined for a mapping or a list. */
  readonly takes: string | undefined;
  /** Whether it takes a list of single values. */
  readonly isList: boolean;
  readonly doc: KeyDoc;
}

/** Every key, parents before children, in the order of the schema. */
export const planKeys: readonly PlanKey[] = keysOf(planSchema, [], undefined);

/** What is known of the key at a path; `targetKind` chooses among the kinds of target. */
export function planKey(path: Path, targetKind: unknown): PlanKey | undefined {
  return siblings(path, targetKind).find((key) => key.path.at(-1) === path.at(-1));
}

/** The keys that may stand where this path's last key stands. */
export function siblings(path: Path, targetKind: unknown): PlanKey[] {
  const parent = path.slice(0, -1).filter((step) => typeof step === 'string');
  return planKeys.filter(
    (key) =>
      key.path.length === parent.length + 1 &&
      parent.every((step, index) => key.path[index] === step) &&
      (key.targetKind === undefined || key.targetKind === targetKind),
  );
}

function keysOf(schema: unknown, path: readonly string[], targetKind: string | undefined): PlanKey[] {
  if (schema instanceof z.ZodOptional) return keysOf(schema.unwrap(), path, targetKind);
  if (schema instanceof z.ZodPipe) {
    // A word that stands for a mapping is made one before it is looked at.
    return keysOf(schema.in instanceof z.ZodTransform ? schema.out : schema.in, path, targetKind);
  }
  if (schema instanceof z.ZodArray) return keysOf(schema.element, path, targetKind);
  if (schema instanceof z.ZodDiscriminatedUnion) {
    return schema.options.flatMap((option) => {
      const kind = option instanceof z.ZodObject ? literalOf(option.shape.kind) : undefined;
      return keysOf(option, path, kind);
    });
  }
  if (!(schema instanceof z.ZodObject)) return [];
  return Object.entries(schema.shape).flatMap(([name, value]) => {
    const here = [...path, name];
    const doc = keyDocs.get(value as z.ZodType);
    if (doc === undefined) throw new TypeError(`the schema says nothing of ${here.join('.')}`);
    const required = !(value instanceof z.ZodOptional);
    const isList = isListOfValues(value);
    return [
      { path: here, targetKind, required, takes: takesOf(value), isList, doc },
      ...keysOf(value, here, targetKind),
    ];
  });
}

function takesOf(schema: unknown): string | undefined {
  if (schema instanceof z.ZodOptional) return takesOf(schema.unwrap());
  return literalOf(schema) ?? leafDocs.get(schema as z.ZodType)?.takes;
}

function isListOfValues(schema: unknown): boolean {
  if (schema instanceof z.ZodOptional) return isListOfValues(schema.unwrap());
  return schema instanceof z.ZodArray && leafDocs.has(schema.element as z.ZodType);
}

function literalOf(schema: unknown): string | undefined {
  return schema instanceof z.ZodLiteral ? String(schema.value) : undefined;
}
