import { describe, expect, test } from 'vitest';
import { formatBytes, formatCount, formatRate } from './format.js';

describe('what a person reads', () => {
  test.each([
    [0, '0 B', '0 B'],
    [999, '999 B', '999 B'],
    [1000, '1 kB', '1,000 B'],
    [1023, '1.02 kB', '1,023 B'],
    [4294967296, '4.29 GB', '4 GiB'],
    [10n ** 13n, '10 TB', '9.09 TiB'],
    [999_999, '1 MB', '977 KiB'],
    [2n ** 62n, '4.61 EB', '4 EiB'],
  ])('%s bytes: GB are powers of 1000, GiB of 1024', (bytes, decimal, binary) => {
    expect(formatBytes(bytes, 'decimal')).toBe(decimal);
    expect(formatBytes(bytes, 'binary')).toBe(binary);
  });

  test.each([
    [0, '0 GB/s'],
    [5.2e6, '0.0052 GB/s'],
    [3.2149e9, '3.21 GB/s'],
    [80e9, '80 GB/s'],
    [1.2345e12, '1,235 GB/s'],
  ])('%s bytes a second can be compared at a glance: always GB/s', (rate, text) => {
    expect(formatRate(rate)).toBe(text);
  });

  test.each([
    [0, '0'],
    [999, '999'],
    [1048576, '1,048,576'],
    [2n ** 63n, '9,223,372,036,854,775,808'],
  ])('a count of %s has commas between its thousands', (count, text) => {
    expect(formatCount(count)).toBe(text);
  });
});
