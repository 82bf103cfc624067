import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TaskSnapshot } from '@seedstorm/native';
import type { Finding } from '@seedstorm/proto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EvidenceKeeper } from './evidence.js';
import { fileTarget, prepareStage } from './testing.js';

type Fault = TaskSnapshot['findings'][number];

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'seedstorm-evidence-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const fault = (changes: Partial<Fault> = {}): Fault => ({
  kind: 'zeroed',
  object: 1,
  path: '/t/run/f00000001',
  offset: 4096,
  length: 4,
  unit: 9,
  generation: 2,
  detail: '',
  lane: 1,
  readNs: 1n,
  fingerprint: 'bytes 00',
  actual: new Uint8Array([0, 0, 0, 0]),
  expected: new Uint8Array([1, 2, 3, 4]),
  ...changes,
});

/** What the coordinator knows of it in the end. */
const known = (evidence: string): Finding => ({
  kind: 'zeroed',
  object: 1n,
  path: '/t/run/f00000001',
  offset: 4096n,
  length: 4n,
  unit: 9n,
  generation: 2,
  detail: '',
  reader: 'a/1',
  writer: 'w',
  verdict: 'transient',
  readers: [{ agent: 'b', host: 'h2', direct: true, saw: 'right', detail: '', unixMs: 3000n }],
  fingerprint: 'bytes 00',
  host: 'h',
  lane: 1,
  readNs: 1n,
  readUnixMs: 2000n,
  writtenAfterUnixMs: 500n,
  writtenBeforeUnixMs: 1000n,
  evidence,
});

function pathOf(kept: ReturnType<EvidenceKeeper['keep']>): string {
  if (typeof kept === 'string') throw new Error(`kept: ${kept}`);
  return kept.path;
}

describe('the bytes of a fault', () => {
  test('are kept with what was expected, and with who wrote them, who read them, when, and what others saw', async () => {
    const keeper = new EvidenceKeeper({ folder, chosen: false }, 'a/1', 'h');
    const path = pathOf(keeper.keep(prepareStage({ runId: 'run-1', stage: 3 }), fault()));
    expect(path).toBe(join(folder, 'run-1', 'a_1-stage3-f00000001-at-4096'));
    keeper.known(known(path));
    keeper.known(known('/etc/passwd'));
    await keeper.written();
    expect([...readFileSync(`${path}.actual`), ...readFileSync(`${path}.expected`)]).toEqual([0, 0, 0, 0, 1, 2, 3, 4]);
    expect(JSON.parse(readFileSync(`${path}.json`, 'utf8'))).toMatchObject({
      run: 'run-1',
      object: 1,
      offset: 4096,
      unit: 9,
      expectedGeneration: 2,
      reader: { agent: 'a/1', host: 'h', lane: 1 },
      readAt: '1970-01-01T00:00:02.000Z',
      verdict: 'transient',
      written: { agent: 'w', after: '1970-01-01T00:00:00.500Z', before: '1970-01-01T00:00:01.000Z' },
      readers: [{ agent: 'b', saw: 'right', at: '1970-01-01T00:00:03.000Z' }],
    });
    expect(readdirSync(folder)).toEqual(['run-1']);
    expect(keeper.takeNotes()).toEqual([]);
  });

  test('are kept of the first thousand of a run and up to 64 MiB; of a further run there is room again', () => {
    const keeper = new EvidenceKeeper({ folder: '/proc/nowhere', chosen: false }, 'a', 'h');
    const kept = (runId: string, count: number, bytes: number): number =>
      Array.from({ length: count }, (_, offset) =>
        keeper.keep(
          prepareStage({ runId }),
          fault({ offset, actual: new Uint8Array(bytes), expected: new Uint8Array(bytes) }),
        ),
      ).filter((each) => each !== 'full').length;
    expect(kept('few', 1010, 1)).toBe(1000);
    // No more than 16 MiB wait to be written.
    expect(kept('large', 300, 64 * 1024)).toBe(127);
  });

  test('that cannot be written are said to be lost, once, and end nothing', async () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    const keeper = new EvidenceKeeper({ folder: join(file, 'evidence'), chosen: true }, 'a', 'h');
    for (let offset = 0; offset < 3; offset++) keeper.keep(prepareStage(), fault({ offset }));
    await keeper.written();
    expect(keeper.takeNotes()).toEqual([expect.stringMatching(/^the bytes of faults could not be kept in .*ENOTDIR/u)]);
    expect(keeper.takeNotes()).toEqual([]);
  });

  test('are not put on the target unless the user chose that, and either is said', async () => {
    const path = join(folder, 'target');
    mkdirSync(path);
    const value = fileTarget(path);
    const stage = prepareStage({ target: { kind: { $case: 'file', value } } });
    const unchosen = new EvidenceKeeper({ folder: join(path, 'evidence'), chosen: false }, 'a', 'h');
    expect(unchosen.keep(stage, fault())).toBe('nothing');
    expect(unchosen.takeNotes()).toEqual([
      expect.stringMatching(/^the bytes of faults are not kept in .* on the target itself$/u),
    ]);
    const chosen = new EvidenceKeeper({ folder: join(path, 'evidence'), chosen: true }, 'a', 'h');
    expect(chosen.keep(stage, fault())).toMatchObject({ path: expect.any(String) });
    await chosen.written();
    expect(chosen.takeNotes()).toContainEqual(
      expect.stringMatching(/^the bytes of faults are kept in .* on the target itself$/u),
    );
  });

  test('on the same file system as the target are kept, with a warning', async () => {
    const path = join(folder, 'target');
    mkdirSync(path);
    const value = fileTarget(path);
    const keeper = new EvidenceKeeper({ folder: join(folder, 'evidence'), chosen: false }, 'a', 'h');
    keeper.keep(prepareStage({ target: { kind: { $case: 'file', value } } }), fault());
    await keeper.written();
    expect(keeper.takeNotes()).toEqual([expect.stringMatching(/on the file system that is tested$/u)]);
  });
});
