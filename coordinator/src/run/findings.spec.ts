import type { Reading } from '@seedstorm/proto';
import { describe, expect, test } from 'vitest';
import { finding } from '../testing/messages.js';
import { Findings } from './findings.js';

const reader = { name: 'c', host: 'h3', readUnixMs: 5000.4 };
const writer = { agent: 'a', afterUnixMs: 1000, beforeUnixMs: 2000 };
const reading = (saw: string): Reading => ({ agent: 'x', host: 'h', direct: true, saw, detail: '', unixMs: 1n });

describe('the faults of a run', () => {
  test('each names who found it and when, who wrote its unit and when, and not who the finder says it was', () => {
    const findings = new Findings();
    const lie = finding({
      reader: 'liar',
      writer: 'liar',
      verdict: 'transient',
      readers: [reading('same'), reading('right')],
    });
    const added = findings.add(lie, reader, writer);
    expect(added).toMatchObject({
      kept: true,
      finding: {
        reader: 'c',
        host: 'h3',
        readUnixMs: 5000n,
        writer: 'a',
        writtenAfterUnixMs: 1000n,
        writtenBeforeUnixMs: 2000n,
        verdict: 'persistent',
        readers: [{ agent: 'c', host: 'h3', saw: 'same', unixMs: 5000n }],
      },
    });
    expect(added.finding.readers).toHaveLength(1);
    expect(findings.add(finding(), reader, undefined).finding.writer).toBe('');
    expect(findings.any).toBe(true);
  });

  test.each([
    ['persistent', ['same']],
    ['persistent', ['other']],
    ['persistent', ['right', 'same']],
    ['transient', ['right', 'failed']],
    ['undecided', ['failed']],
    ['undecided', []],
  ])('a fault is %s when second looks saw %j', (verdict, saw) => {
    const findings = new Findings();
    const { finding: kept } = findings.add(finding(), reader, writer);
    for (const each of saw) Findings.read(kept, reading(each));
    expect(findings.kept[0]?.verdict).toBe(verdict);
  });

  test('objects with faults are spared by deletes, each once and in order, and their paths are told', () => {
    const findings = new Findings();
    for (const object of [12n, 3n, 12n]) findings.add(finding({ object, path: `/t/${object}` }), reader, writer);
    expect(findings.sparedObjects()).toEqual([3, 12]);
    expect(findings.sparedPaths()).toEqual(['/t/12', '/t/3']);
  });

  test('an object that holds what it should when it is looked at again is a fault, but is not spared', () => {
    const findings = new Findings();
    const { finding: one } = findings.add(finding({ object: 1n, path: '/t/1' }), reader, writer);
    const { finding: other } = findings.add(finding({ object: 2n, path: '/t/2' }), reader, writer);
    findings.add(finding({ object: 2n, path: '/t/2' }), reader, writer);
    for (const each of [one, other]) Findings.read(each, reading('right'));
    expect([findings.any, findings.sparedObjects(), findings.sparedPaths()]).toEqual([true, [2], ['/t/2']]);
  });

  test('an old generation that a lost agent may have written late is told with the agent, is no fault, and spares nothing', () => {
    const findings = new Findings();
    const found = finding({
      kind: 'indeterminate',
      detail: 'it holds generation 1',
      reader: 'liar',
      verdict: 'persistent',
    });
    const { detail, ...told } = findings.addIndeterminate(found, reader, writer, 'possible late write by a');
    expect(detail).toBe('it holds generation 1: possible late write by a');
    expect(told).toMatchObject({ reader: 'c', host: 'h3', writer: 'a', verdict: 'undecided', readers: [] });
    expect(findings.indeterminate).toEqual([{ ...told, detail }]);
    expect([findings.any, findings.kept, findings.sparedObjects()]).toEqual([false, [], []]);
  });

  test('an object that is missing is spared, but nobody is sent to look for it', () => {
    const findings = new Findings();
    findings.add(finding({ kind: 'missing', object: 5n, path: '/t/5' }), reader, writer);
    expect([findings.any, findings.sparedObjects(), findings.sparedPaths()]).toEqual([true, [5], []]);
  });

  test('an object that was missing and has come back is spared and named: only its beginning was looked at', () => {
    const findings = new Findings();
    const { finding: one } = findings.add(finding({ kind: 'missing', object: 5n, path: '/t/5' }), reader, writer);
    Findings.read(one, reading('right'));
    expect([findings.sparedObjects(), findings.sparedPaths()]).toEqual([[5], ['/t/5']]);
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

  test('of very many faults the first thousand are kept in full, and past the limit of objects all are spared', () => {
    const findings = new Findings();
    for (let object = 0n; object < 100_000n; object++) findings.add(finding({ object }), reader, undefined);
    expect(findings.kept).toHaveLength(1000);
    expect(findings.sparedObjects()).toHaveLength(100_000);
    expect(findings.sparedPaths()).toHaveLength(1000);
    expect(findings.add(finding({ object: 100_000n }), reader, undefined).kept).toBe(false);
    expect(findings.sparedObjects()).toBe('all');
  });

  test.each([
    ['unit', { unit: 2n ** 60n }],
    ['object', { object: 2n ** 60n }],
  ])('a fault of an %s that cannot be is refused, and nothing of it is kept', (_, lie) => {
    const findings = new Findings();
    expect(() => findings.add(finding(lie), reader, writer)).toThrow(
      expect.objectContaining({ code: 'SEEDSTORM_E_MESSAGE_INVALID' }),
    );
    expect([findings.any, findings.kept]).toEqual([false, []]);
  });
});
