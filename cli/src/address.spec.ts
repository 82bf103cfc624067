import { isLoopback } from '@seedstorm/proto';
import { describe, expect, test } from 'vitest';
import { parseAddress } from './address.js';

describe('an address', () => {
  test.each(['node-1:7070', '127.0.0.1:0', '[::1]:65535', 'a.example.org:1'])('%s is one', (text) => {
    expect(parseAddress(text)).toBe(text);
  });

  test.each(['', 'node-1', '127.0.0.1', 'node-1:', ':7070', 'node-1:65536', '::1:7070', 'http://node-1:7070', 'a b:1'])(
    '“%s” is none: nobody dials a guess',
    (text) => {
      expect(() => parseAddress(text)).toThrow(`“${text}” is not an address`);
    },
  );

  test('beyond this host is told from loopback, which needs no encryption', () => {
    expect(['127.0.0.1:1', '127.9.9.9:1', 'localhost:1', '[::1]:1'].map(isLoopback)).not.toContain(false);
    expect(
      ['0.0.0.0:1', '[::]:1', '10.0.0.1:1', '127.example.org:1', 'localhost.example:1'].map(isLoopback),
    ).not.toContain(true);
  });
});
