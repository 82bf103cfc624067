import type { Finding, RunResult } from '@seedstorm/proto';
import { expect, test } from 'vitest';
import { faultLines } from './faults.js';

const fault: Finding = {
  kind: 'stale',
  object: 3n,
  path: '/t/run/f00000003',
  offset: 4096n,
  length: 512n,
  unit: 24n,
  generation: 2,
  detail: 'it holds generation 1',
  reader: 'agent-2',
  writer: 'agent-1',
  verdict: 'persistent',
  readers: [
    { agent: 'agent-2', host: 'h2', direct: true, saw: 'same', detail: '', unixMs: 0n },
    { agent: 'agent-3', host: 'h3', direct: false, saw: 'other', detail: 'zeroed', unixMs: 0n },
    { agent: 'agent-4', host: 'h4', direct: false, saw: 'failed', detail: 'no answer came', unixMs: 0n },
  ],
  fingerprint: 'bytes 00',
  host: 'h2',
  lane: 0,
  readNs: 0n,
  readUnixMs: 0n,
  writtenAfterUnixMs: 1000n,
  writtenBeforeUnixMs: 2500n,
  evidence: '/home/u/.seedstorm/evidence/run/f',
};

const result = (findings: Finding[]): RunResult =>
  ({
    findings,
    indeterminate: [],
    stages: [
      { name: 'verify', indeterminatePlaces: 0n, findingCounts: [{ kind: 'stale', count: BigInt(findings.length) }] },
    ],
  }) as never;

test('a fault is told with its place, who wrote it and when, who read it, who else saw it, and where its bytes are', () => {
  expect(faultLines(result([fault]))).toEqual([
    'faults found: 1 × stale in verify',
    '  stale (it holds generation 1): /t/run/f00000003 at offset 4096, 512 bytes, unit 24, generation 2; read by agent-2, ' +
      'written by agent-1 between 1970-01-01T00:00:01.000Z and 1970-01-01T00:00:02.500Z; persistent: read again, ' +
      'agent-2 saw the same, agent-3 saw zeroed (not directly), agent-4 could not look (no answer came)',
    '    evidence: /home/u/.seedstorm/evidence/run/f.{actual,expected,json} on h2',
  ]);
});

test('what may be a late write of a lost agent is told apart from faults, with the agent', () => {
  const late: Finding = {
    ...fault,
    kind: 'indeterminate',
    detail: 'it holds generation 1: possible late write by agent-9',
  };
  const stage = { name: 'verify', label: 'verify #2', findingCounts: [], indeterminatePlaces: 7n };
  const lines = faultLines({ findings: [], indeterminate: [late], stages: [stage] } as never);
  expect(lines).toEqual([
    'places that are indeterminate, and no faults: 7 in verify #2',
    '  it holds generation 1: possible late write by agent-9: /t/run/f00000003 at offset 4096, 512 bytes, unit 24, generation 2; read by agent-2',
  ]);
});

test('of many faults the first are listed and the others counted', () => {
  const lines = faultLines(result(Array.from({ length: 25 }, () => ({ ...fault, evidence: '' }))));
  expect([lines.length, lines.at(-1)]).toEqual([22, '  … and 5 more, in the JSON result']);
});
