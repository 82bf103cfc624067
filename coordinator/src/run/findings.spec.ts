import { describe, expect, test } from 'vitest';
import { finding } from '../testing/messages.js';
import { Findings } from './findings.js';

const writers = [
  { first: 0, end: 10, agent: 'a', host: 'h1' },
  { first: 10, end: 20, agent: 'b', host: 'h2' },
];

describe('the faults of a run', () => {
  test('each names who found it and who wrote its unit', () => {
    const findings = new Findings();
    const named = [9n, 10n, 20n].map((unit) => findings.add(finding({ unit, reader: 'liar' }), 'c', writers));
    expect(named.map(({ reader, writer }) => [reader, writer])).toEqual([
      ['c', 'a'],
      ['c', 'b'],
      ['c', ''],
    ]);
    expect(findings.kept).toEqual(named);
    expect(findings.any).toBe(true);
  });

  test('objects with faults are spared by deletes, each once and in order, and their paths are told', () => {
    const findings = new Findings();
    for (const object of [12n, 3n, 12n]) findings.add(finding({ object, path: `/t/${object}` }), 'c', writers);
    expect(findings.sparedObjects()).toEqual([3, 12]);
    expect(findings.sparedPaths()).toEqual(['/t/12', '/t/3']);
  });

  test('an object that is missing is spared, but nobody is sent to look for it', () => {
    const findings = new Findings();
    findings.add(finding({ kind: 'missing', object: 5n, path: '/t/5' }), 'c', writers);
    expect([findings.any, findings.sparedObjects(), findings.sparedPaths()]).toEqual([true, [5], []]);
  });

  test('without faults everything may be deleted', () => {
    const findings = new Findings();
    expect([findings.any, findings.sparedObjects(), findings.sparedPaths()]).toEqual([false, [], []]);
  });

  test('faults that nobody could name spare every object: evidence is not deleted by chance', () => {
    const findings = new Findings();
    findings.unnamed();
    expect([findings.any, findings.sparedObjects()]).toEqual([true, 'all']);
  });

  test('of very many faults the first hundreds are kept in full, and past the limit of objects all are spared', () => {
    const findings = new Findings();
    for (let object = 0n; object < 100_000n; object++) findings.add(finding({ object }), 'c', []);
    expect(findings.kept.length).toBeGreaterThan(100);
    expect(findings.kept.length).toBeLessThanOrEqual(1000);
    expect(findings.sparedObjects()).toHaveLength(100_000);
    findings.add(finding({ object: 100_000n }), 'c', []);
    expect(findings.sparedObjects()).toBe('all');
  });

  test.each([
    ['unit', { unit: 2n ** 60n }],
    ['object', { object: 2n ** 60n }],
  ])('a fault of an %s that cannot be is refused, and nothing of it is kept', (_, lie) => {
    const findings = new Findings();
    expect(() => findings.add(finding(lie), 'c', writers)).toThrow(
      expect.objectContaining({ code: 'SEEDSTORM_E_MESSAGE_INVALID' }),
    );
    expect([findings.any, findings.kept]).toEqual([false, []]);
  });
});
