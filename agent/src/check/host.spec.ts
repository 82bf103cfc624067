import type { Readiness } from '@seedstorm/native';
import { CheckLevel, type CheckTarget, type TargetChecked } from '@seedstorm/proto';
import { describe, expect, test } from 'vitest';
import { checkQuestion, filesIn } from '../testing.js';
import { Findings } from './findings.js';
import { checkInodes } from './folder.js';
import { checkHost, type Host, lookAtKernel, memoryBytes } from './host.js';

const ready: Readiness = {
  openFiles: { soft: 1024, hard: 1024 },
  lockedMemoryBytes: { soft: 8 * 1024 ** 2, hard: 8 * 1024 ** 2 },
};
const good: Host = { mayLock: false, balancesNuma: false, numaNodes: 1, hasHugePages: true };

const toFiles = (changes: Partial<CheckTarget> = {}, sync = 'range') =>
  checkQuestion({
    target: filesIn('/', { sync }),
    bytes: 64n * 1024n ** 2n,
    ...changes,
  });

/** What a check says, each with its level. */
function said(check: (findings: Findings) => void): string[] {
  const checked = { findings: [] as TargetChecked['findings'] } as TargetChecked;
  check(new Findings(checked));
  return checked.findings.map(({ level, detail }) => {
    expect(detail?.mend).toMatch(/\S/u);
    return `${level === CheckLevel.ERROR ? `error ${detail?.code}` : level}: ${detail?.what}`;
  });
}

const host = (question: CheckTarget, host: Partial<Host> = {}, readiness: Partial<Readiness> = {}, lanes = 2) =>
  said((findings) => checkHost(question, lanes, { ...good, ...host }, { ...ready, ...readiness }, findings));

describe('a host', () => {
  test('that has all that is needed is not spoken against', () => {
    expect(host(toFiles())).toEqual([]);
  });

  test('is not asked about what only storage needs', () => {
    expect(host(checkQuestion(), { balancesNuma: true, numaNodes: 8 }, { noIoUring: 'no' })).toEqual([]);
  });

  test('that lets an agent open too few files for one lease would fail the run', () => {
    const manyFiles = toFiles({ objects: 1_000_000n, leaseObjects: 1200n });
    expect(host(manyFiles)).toEqual([
      expect.stringMatching(/^error SEEDSTORM_E_LIMIT: this agent may open 1024 files, .* it has 1200 open at a time/u),
    ]);
    expect(host(manyFiles, {}, { openFiles: {} })).toEqual([]);
    expect(host(toFiles({ objects: 900n, leaseObjects: 1200n }))).toEqual([]);
    expect(host(toFiles({ objects: 1_000_000n, leaseObjects: 1200n }, 'file'))).toEqual([]);
    expect(host(toFiles({ objects: 1_000_000n, leaseObjects: 1200n, bytes: 0n }))).toEqual([]);
  });

  test('that may let an agent open too few files is warned of', () => {
    expect(host(toFiles({ objects: 1_000_000n, leaseObjects: 600n }))[0]).toMatch(/it may have 1200 open at a time/u);
    const atEnd = host(toFiles({ objects: 1000n }, 'end'));
    expect(atEnd[0]).toMatch(/with sync: end it may have 1000 open at a time/u);
    expect(atEnd.join()).not.toContain('SEEDSTORM_E');
  });

  test('that forbids io_uring is said to, with what is used instead', () => {
    expect(host(toFiles(), {}, { noIoUring: 'a filter' })[0]).toMatch(/a filter; Linux AIO is used instead/u);
    const neither = host(toFiles(), {}, { noIoUring: 'a filter', linuxAioLeft: 1 });
    expect(neither[0]).toMatch(/nor Linux AIO: this host takes 1 more of its I\/Os; I\/O goes by helper threads/u);
    expect(neither).toHaveLength(1);
  });

  test('that lets too little memory be locked is warned of, unless the agent may lock all', () => {
    const deep = toFiles({ queueDepth: 32 });
    expect(host(deep)[0]).toMatch(/may lock 8 MiB, and the buffers of its lanes are 64 MiB/u);
    expect(host(deep, { mayLock: true })).toEqual([]);
  });

  test('whose kernel moves pages between NUMA nodes is warned of, where it has several', () => {
    expect(host(toFiles(), { balancesNuma: true })).toEqual([]);
    expect(host(toFiles(), { balancesNuma: true, numaNodes: 2 })[0]).toMatch(/moves pages between NUMA nodes/u);
  });

  test('without huge pages is told so, where buffers would have them', () => {
    expect(host(toFiles(), { hasHugePages: false })).toEqual([]);
    expect(host(toFiles({ queueDepth: 4 }), { hasHugePages: false })[0]).toMatch(/4 MiB.*no huge pages/u);
  });

  test('tells its memory and its kernel', () => {
    expect(memoryBytes()).toBeGreaterThan(0n);
    expect(lookAtKernel()).toEqual({ mayLock: expect.any(Boolean), balancesNuma: expect.any(Boolean) });
  });
});

describe('a file system', () => {
  test('that has too few inodes for the files is an error, before the first is made', async () => {
    const checked = { findings: [] as TargetChecked['findings'] } as TargetChecked;
    await checkInodes('/dev/shm', 16n, new Findings(checked));
    expect(checked.findings).toEqual([]);
    await checkInodes('/dev/shm', 2n ** 62n, new Findings(checked));
    expect(checked.findings).toMatchObject([{ level: CheckLevel.ERROR, detail: { code: 'SEEDSTORM_E_SPACE' } }]);
  });
});
