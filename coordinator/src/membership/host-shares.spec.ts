import { expect, test } from 'vitest';
import { hostShares } from './host-shares.js';

test('agents of one host do not fight for cores, and agents of other hosts or cpusets lose none to them', () => {
  const shares = hostShares([
    { name: 'b', machine: 'm1', cpuset: '0-7' },
    { name: 'a', machine: 'm1', cpuset: '0-7' },
    { name: 'c', machine: 'm1', cpuset: '8-15' },
    { name: 'd', machine: 'm2', cpuset: '0-7' },
  ]);
  expect(Object.fromEntries(shares)).toEqual({
    a: { index: 0, of: 2 },
    b: { index: 1, of: 2 },
    c: { index: 0, of: 1 },
    d: { index: 0, of: 1 },
  });
});
