import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type ContentParameters, contentBytes, contentKey } from './content.js';

/** The golden vectors of native/content, made by an implementation that is not ours: a record for each line. */
function vectors(): Record<string, string>[] {
  const text = readFileSync(new URL('../../content/tests/golden/v1.tsv', import.meta.url), 'utf8');
  const [names = [], ...rows] = text
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t'));
  return rows.map((row) => Object.fromEntries(names.map((name, nth) => [name, row[nth] ?? ''])));
}

function parametersOf(vector: Record<string, string>): ContentParameters {
  return {
    seed: BigInt(vector.seed ?? ''),
    namespace: vector.namespace ?? '',
    unitBytes: Number(vector.unit),
    dedupMilli: Number(vector.dedupMilli),
    windowBits: Number(vector.windowBits),
    compressMilli: Number(vector.compressMilli),
    codec: vector.codec ?? '',
    recordBytes: Number(vector.record),
  };
}

describe('the golden vectors of the content function, through the binding', () => {
  test('no number or name is bent on its way from TypeScript to the bytes', () => {
    expect(vectors().length).toBeGreaterThan(700);
    for (const vector of vectors()) {
      const parameters = parametersOf(vector);
      const bytes = contentBytes(
        parameters,
        Number(vector.generation),
        BigInt(vector.offset ?? ''),
        Number(vector.length),
      );
      // The whole vector is compared, so that a failure shows which it is.
      expect({
        ...vector,
        key: contentKey(parameters).toString('hex'),
        first: bytes.subarray(0, 16).toString('hex'),
        sha256: createHash('sha256').update(bytes).digest('hex'),
      }).toEqual(vector);
    }
  });
});
