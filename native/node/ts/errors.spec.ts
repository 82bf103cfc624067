import { isErrorCode, isSeedstormError, SeedstormError } from '@seedstorm/errors';
import { describe, expect, test } from 'vitest';
import { binding } from './binding.js';
import { fromNative, native, nativeAsync } from './errors.js';
import { content, withEngine } from './testing.js';
import { loadTopology } from './topology.js';

describe('errors of the addon', () => {
  test('each of its codes is in the catalogue, so that none reaches a user as an internal error', () => {
    const codes = binding.errorCodes();
    expect(codes.length).toBeGreaterThan(10);
    expect(codes.filter((code) => !isErrorCode(code))).toEqual([]);
  });

  test('a thrown error tells code, what and mend', () => {
    const xmlFile = '/nowhere/a "quoted"\n\\ file';
    const thrown = catchOf(() => loadTopology({ xmlFile }));
    expect(thrown).toBeInstanceOf(SeedstormError);
    expect(thrown).toMatchObject({
      code: 'SEEDSTORM_E_TOPOLOGY_UNREADABLE',
      what: expect.stringContaining(xmlFile),
      mend: expect.stringMatching(/\w/u),
    });
  });

  test('a rejected promise tells the same', async () => {
    await withEngine(async (engine) => {
      const rejected = engine.fill(content, 0, 2n ** 63n, new Uint8Array(1));
      await expect(rejected).rejects.toBeInstanceOf(SeedstormError);
      await expect(rejected).rejects.toMatchObject({
        code: 'SEEDSTORM_E_INVALID_ARGUMENT',
        what: expect.stringContaining('end of the stream'),
        mend: expect.stringMatching(/\w/u),
      });
    });
  });

  test('an argument of the wrong type, as JavaScript may give it, is the caller’s error and not an internal one', () => {
    const { seed: _, ...without } = content;
    for (const wrong of [{ ...content, seed: 42 }, { ...content, unitBytes: '64KiB' }, without]) {
      const thrown = catchOf(() => native(() => Reflect.apply(binding.contentKey, undefined, [wrong])));
      expect(thrown).toMatchObject({ code: 'SEEDSTORM_E_INVALID_ARGUMENT', what: expect.stringContaining('type') });
    }
  });

  test('what is not from the addon keeps its own message', async () => {
    expect(fromNative(new TypeError('no function'))).toMatchObject({
      code: 'SEEDSTORM_E_INTERNAL',
      what: 'no function',
    });
    expect(isSeedstormError(fromNative('a string'))).toBe(true);
    await expect(nativeAsync(() => Promise.reject(new Error('late')))).rejects.toMatchObject({ what: 'late' });
  });
});

function catchOf(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    return error;
  }
}
