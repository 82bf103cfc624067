/** What is said of each key of a plan: for the reference page and for the JSON Schema of editors. */
import { z } from 'zod';

/** What the reference page and the JSON Schema say of a key. */
export interface KeyDoc {
  /** What the key is for: sentences. */
  readonly meaning: string;
  /** What holds when the key is left out; absent for keys that must be there. */
  readonly default?: string;
  /** The key with a value, as it would be written in a plan. */
  readonly example: string;
}

/** What is said of each key; keyed by the schema that stands at the key. */
export const keyDocs = z.registry<KeyDoc>();

/** The schema that stands at a key, described. */
export function key<T extends z.ZodType>(schema: T, doc: KeyDoc): T {
  const described = schema.meta({
    description: doc.default === undefined ? doc.meaning : `${doc.meaning} Default: ${doc.default}.`,
  });
  keyDocs.add(described, doc);
  return described;
}
