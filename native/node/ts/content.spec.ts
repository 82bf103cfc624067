import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { contentBytes, contentKey, defaultWindowBits } from './content.js';
import { content } from './testing.js';

/** The table under “Keys”: seed, namespace and key. */
function keysOfTheDocs(): [string, string, string][] {
  const docs = readFileSync(new URL('../../../docs/content.md', import.meta.url), 'utf8');
  const rows = [...docs.matchAll(/^\| (\d+) +\| (empty|`[^`]*`) +\| `([0-9a-f]{32})` \|$/gmu)];
  if (rows.length < 4) throw new Error('docs/content.md has no table of keys');
  return rows.map(([, seed = '', name = '', key = '']) => [seed, name === 'empty' ? '' : name.slice(1, -1), key]);
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('the content function without an engine', () => {
  test.each(keysOfTheDocs())('seed %s with namespace “%s” has the key of docs/content.md', (seed, namespace, key) => {
    expect(hex(contentKey({ ...content, seed: BigInt(seed), namespace }))).toBe(key);
  });

  test('a range is the same bytes however it is cut into calls', () => {
    const whole = contentBytes(content, 3, 0n, 200_001);
    for (const [offset, length] of [
      [0, 1],
      [1, 4096],
      [65_535, 2],
      [131_071, 68_930],
    ] as const) {
      expect(hex(contentBytes(content, 3, BigInt(offset), length))).toBe(hex(whole.subarray(offset, offset + length)));
    }
    expect(contentBytes(content, 3, 5n, 0)).toHaveLength(0);
  });

  test('another seed, namespace or generation is another stream', () => {
    const bytes = [
      contentBytes(content, 0, 0n, 64),
      contentBytes(content, 1, 0n, 64),
      contentBytes({ ...content, seed: 43n }, 0, 0n, 64),
      contentBytes({ ...content, namespace: '' }, 0, 0n, 64),
    ].map(hex);
    expect(new Set(bytes).size).toBe(bytes.length);
  });

  test.each([
    ['seed', { seed: -1n }],
    ['seed', { seed: 2n ** 64n }],
    ['unit', { unitBytes: 4097 }],
    ['unit', { unitBytes: 0.5 }],
    ['dedup', { dedupMilli: 999 }],
    ['window', { windowBits: 33 }],
    // As an unsigned 32-bit number this would be 0, which is valid.
    ['window', { windowBits: 2 ** 32 }],
    ['compress', { compressMilli: 100_001 }],
    ['compress', { compressMilli: -1 }],
    ['codec', { codec: 'LZ4' }],
    ['record', { recordBytes: 8192 }],
    ['namespace', { namespace: 'x'.repeat(256) }],
  ])('a %s out of its range is refused with the range, and not bent into it', (field, wrong) => {
    expect(() => contentBytes({ ...content, ...wrong }, 0, 0n, 1)).toThrow(
      expect.objectContaining({ code: 'SEEDSTORM_E_INVALID_ARGUMENT', what: expect.stringContaining(field) }),
    );
  });

  test.each([
    ['a negative length', 0, 0n, -5],
    ['half a byte', 0, 0n, 1.5],
    ['a length beyond 32 bits', 0, 0n, 2 ** 32 + 4],
    ['a negative generation', -1, 0n, 1],
    ['a generation beyond 16 bits', 65_536, 0n, 1],
    ['half a generation', 0.5, 0n, 1],
    ['a negative offset', 0, -1n, 1],
    ['an end beyond 2^63', 0, 2n ** 63n, 1],
  ])('%s is refused before memory is taken for it', (_, generation, offset, length) => {
    expect(() => contentBytes(content, generation, offset, length)).toThrow(
      expect.objectContaining({ code: 'SEEDSTORM_E_INVALID_ARGUMENT' }),
    );
  });

  test('the last byte of the stream can be had', () => {
    expect(contentBytes(content, 0, 2n ** 63n - 1n, 1)).toHaveLength(1);
  });

  test('the default window is large enough for the ratio and small enough for the data', () => {
    expect(defaultWindowBits(2 ** 20, 1500)).toBe(12);
    expect(defaultWindowBits(640, 1500)).toBe(3);
    expect(defaultWindowBits(1, 1000)).toBe(0);
    expect(defaultWindowBits(1, 8001)).toBe(4);
    expect(() => defaultWindowBits(-1, 1000)).toThrow(
      expect.objectContaining({ code: 'SEEDSTORM_E_INVALID_ARGUMENT' }),
    );
  });
});
