import { SeedstormError } from '@seedstorm/errors';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  formatDuration,
  formatRatio,
  formatSize,
  maxSizeBytes,
  parseDuration,
  parseInteger,
  parsePowerOfTwo,
  parseRate,
  parseRatio,
  parseSeed,
  parseSize,
} from './units.js';

function fault(call: () => unknown): { what: string; mend: string } {
  try {
    call();
  } catch (error) {
    if (error instanceof SeedstormError) return { what: error.what, mend: error.mend };
    throw error;
  }
  throw new Error('no error was thrown');
}

describe('a size', () => {
  test.each([
    ['4GiB', 4n * 2n ** 30n],
    ['10TB', 10n ** 13n],
    ['1 MiB', 1048576n],
    ['1.5GiB', 1610612736n],
    ['0.1kB', 100n],
    ['4096', 4096n],
    ['4096B', 4096n],
    ['4EiB', 2n ** 62n],
    ['4611686018427387903', 2n ** 62n - 1n],
  ])('%s is %s bytes: a GB is not a GiB, and nothing is lost above 2^53', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  test.each([
    ['4 gigs', '“4 gigs” is not a size', 'write a number and a unit such as 4GiB or 10TB'],
    ['4G', '“4G” is not a size', 'did you mean 4GiB or 4GB?'],
    ['1.5m', '“1.5m” is not a size', 'did you mean 1.5MiB or 1.5MB?'],
    ['4gib', '“4gib” is not a size', 'did you mean 4GiB?'],
    ['-1GiB', '“-1GiB” is not a size', 'write a number and a unit such as 4GiB or 10TB'],
    ['1e3', '“1e3” is not a size', 'write a number and a unit such as 4GiB or 10TB'],
    ['0x10', '“0x10” is not a size', 'write a number and a unit such as 4GiB or 10TB'],
    ['', '“” is not a size', 'write a number and a unit such as 4GiB or 10TB'],
    ['1.0001kB', '“1.0001kB” is not a whole number of bytes', 'write a number and a unit such as 4GiB or 10TB'],
    ['5EiB', '“5EiB” is too large a size', 'write at most 4EiB'],
  ])('%s is refused with what to write', (text, what, mend) => {
    expect(fault(() => parseSize(text))).toEqual({ what, mend });
  });

  test('a long text is cut in the message', () => {
    expect(fault(() => parseSize('9'.repeat(100_000))).what.length).toBeLessThan(100);
  });

  test('that was formatted is the same number of bytes again', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: maxSizeBytes }), (bytes) => parseSize(formatSize(bytes)) === bytes),
    );
    const round = fc.tuple(
      fc.bigInt({ min: 1n, max: 1000n }),
      fc.constantFrom(2n ** 10n, 2n ** 40n, 10n ** 9n, 10n ** 15n),
    );
    fc.assert(fc.property(round, ([count, unit]) => parseSize(formatSize(count * unit)) === count * unit));
  });

  test('keeps every decimal: no rounding creeps in', () => {
    const decimals = fc.tuple(fc.bigInt({ min: 0n, max: 4_000_000n }), fc.bigInt({ min: 0n, max: 999_999_999n }));
    fc.assert(
      fc.property(decimals, ([whole, nano]) => {
        const text = `${whole}.${String(nano).padStart(9, '0')}GB`;
        expect(parseSize(text)).toBe(whole * 10n ** 9n + nano);
      }),
    );
  });

  test.each([
    [2n ** 32n, '4GiB'],
    [10n ** 13n, '10TB'],
    [1048576n, '1MiB'],
    [47008n, '47008'],
    [0n, '0'],
  ])('%s bytes is shown as %s', (bytes, text) => {
    expect(formatSize(bytes)).toBe(text);
  });
});

describe('a duration', () => {
  test.each([
    ['500ms', 500],
    ['10s', 10_000],
    ['1.5 s', 1500],
    ['5m', 300_000],
    ['2h', 7_200_000],
    ['0s', 0],
  ])('%s is %i milliseconds', (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds);
  });

  test.each(['10', '10sec', '5M', '-1s', '1.0001s', 's', '1h30m'])(
    '%s is refused: its unit would be a guess',
    (text) => {
      expect(fault(() => parseDuration(text)).mend).toBe('write a number and a unit such as 500ms, 10s, 5m or 2h');
    },
  );

  test('that was formatted is the same number of milliseconds again', () => {
    fc.assert(fc.property(fc.nat(), (milliseconds) => parseDuration(formatDuration(milliseconds)) === milliseconds));
  });
});

describe('a rate', () => {
  test.each([
    ['20000/s', 'operations', 20_000],
    ['1 /s', 'operations', 1],
    ['5GB/s', 'bytes', 5e9],
    ['1.5 GiB/s', 'bytes', 1.5 * 2 ** 30],
    ['4096B/s', 'bytes', 4096],
  ])('%s is a rate of %s: digits alone are operations, a size is bytes', (text, of, perSecond) => {
    expect(parseRate(text)).toEqual({ of, perSecond });
  });

  test.each(['20000', '5GB', '/s', '1.5/s', '-1/s', 'fast/s', '5 GB / h', '0/s', '0GB/s', '1e9/s', '5XB/s'])(
    '%s is refused, with what to write',
    (text) => {
      expect(fault(() => parseRate(text)).mend).not.toBe('');
    },
  );
});

describe('a ratio', () => {
  test('is exact: 2.3 is never 2.299', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 999_999_999 }), (milli) => {
        expect(parseRatio(formatRatio(milli))).toBe(milli);
        expect(parseRatio(`${Math.floor(milli / 1000)}.${String(milli % 1000).padStart(3, '0')}`)).toBe(milli);
      }),
    );
  });

  test.each([
    ['2.3', 2300],
    ['2.300', 2300],
    ['2', 2000],
    ['1.001', 1001],
  ])('%s is %i thousandths', (text, milli) => {
    expect(parseRatio(text)).toBe(milli);
  });

  test.each(['2.3001', '2.3000', '-1', '1,5', '1e1', '.5', '2.', 'two', '2x'])('%s is refused, not rounded', (text) => {
    expect(fault(() => parseRatio(text)).mend).toBe('write a number with at most three decimals, such as 1.5');
  });
});

describe('a seed and other whole numbers', () => {
  test('a seed above 2^53 keeps its last digit', () => {
    expect(parseSeed('18446744073709551615')).toBe(18446744073709551615n);
    expect(parseSeed('9007199254740993')).toBe(9007199254740993n);
  });

  test('a seed that does not fit is refused, not wrapped', () => {
    expect(fault(() => parseSeed('18446744073709551616')).what).toBe('“18446744073709551616” does not fit in 64 bits');
  });

  test('a power of two gives its exponent, and others the powers next to them', () => {
    expect(parsePowerOfTwo('1', 32)).toBe(0);
    expect(parsePowerOfTwo('4294967296', 32)).toBe(32);
    expect(fault(() => parsePowerOfTwo('1000', 32)).mend).toBe('write 512 or 1024');
    expect(fault(() => parsePowerOfTwo('0', 32)).mend).toBe('write 1 or more');
    expect(fault(() => parsePowerOfTwo('8589934592', 32)).mend).toBe('write a power of two of at most 4294967296');
  });

  test.each(['1.0', '+1', '1_000', '1e3', '', ' 1'])('“%s” is not taken for a whole number', (text) => {
    expect(() => parseInteger(text)).toThrow(SeedstormError);
  });
});
