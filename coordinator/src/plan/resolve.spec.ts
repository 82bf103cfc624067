import { describe, expect, test } from 'vitest';
import { describePlan } from './describe.js';
import { parsePlan } from './parse.js';
import { resolvePlan } from './resolve.js';
import { resolvedPlanFromJson, resolvedPlanToJson } from './resolved.js';

function resolve(text: string) {
  return resolvePlan(parsePlan(text, 'plan.yaml'), {
    runId: 'run-7',
    randomSeed: 18446744073709551615n,
    defaultWindowBits: () => 6,
    planFolder: '/home/user/plans',
  });
}

const small = 'data: { size: 4GiB }\ntarget: { kind: file, path: out }\nstages: [{ write: {} }]\n';

describe('a resolved plan', () => {
  test('has every default filled in, so that all agents do the same', () => {
    expect(resolve(small)).toEqual({
      runId: 'run-7',
      content: {
        seed: 18446744073709551615n,
        namespace: 'run-7',
        unitBytes: 1048576,
        dedupMilli: 1000,
        windowBits: 6,
        compressMilli: 1000,
        codec: 'any',
        recordBytes: 131072,
      },
      layout: { units: 4096, unitBytes: 1048576, unitsPerObject: 64, objects: 64 },
      target: {
        kind: 'file',
        paths: ['/home/user/plans/out'],
        runFolders: ['/home/user/plans/out/run-7'],
        scope: 'shared',
        shareTarget: false,
        preallocate: false,
        direct: 'auto',
        sync: 'range',
        engine: 'auto',
      },
      blockBytes: 1048576,
      grainUnits: 64,
      leaseUnits: 64,
      assign: 'dynamic',
      storageLanes: 16,
      queueDepth: 4,
      agentsMinimum: 1,
      leaseMs: 10_000,
      settleTimeoutMs: 60_000,
      errors: { ofKind: {}, inAll: 0 },
      headroom: true,
      stages: [{ kind: 'write', delayMs: 0, generation: 0 }],
      repeat: 1,
      points: [],
      notes: [],
    });
  });

  test('of a store says where objects go, in which sizes, and what is done about failures', () => {
    const store = `data: { size: 64GiB }\nstages: [{ write: {} }]\ntarget: { kind: s3, bucket: qualify, endpoints: ["http://a:9000/", "http://b:9000"], prefix: /teams/, `;
    const plain = resolve(`${store} objects: { size: 20MiB } }`);
    expect(plain).toMatchObject({
      target: {
        kind: 's3',
        endpoints: ['http://a:9000', 'http://b:9000'],
        prefix: 'teams',
        attempts: 1,
        style: 'path',
      },
      layout: { unitsPerObject: 20, objects: 3277 },
      blockBytes: 16 * 1024 ** 2,
      grainUnits: 20,
    });
    expect(describePlan(plain)).toEqual(
      expect.arrayContaining([
        'target   s3://qualify/teams/run-7/ at http://a:9000, http://b:9000 (path style)',
        'objects  3,277 of 20MiB, in parts of 16MiB; signed payloads; no retries, each given up after 1m',
      ]),
    );
    const mixed = resolve(
      `${store} retries: { attempts: 3 }, objects: { sizes: { uniform: { min: 1MiB, max: 3MiB } } } }`,
    );
    expect(mixed).toMatchObject({ grainUnits: 512, layout: { objects: 32768, unitsPerObject: 3 } });
    expect(describePlan(mixed)).toContain(
      'objects  about 32,768 of 1MiB to 3MiB; signed payloads; at most 3 attempts, each given up after 1m',
    );
  });

  test('keeps what the plan says over any default', () => {
    const plan = resolve(
      `${small.replace('4GiB', '4GiB, dedup: { ratio: 2.3, window: 4 }')}seed: 0\nnamespace: ""\nname: x\nload: { lanesPerAgent: 2 }\n`,
    );
    expect(plan.content).toMatchObject({ seed: 0n, namespace: '', dedupMilli: 2300, windowBits: 2 });
    expect(plan).toMatchObject({ name: 'x', lanesPerAgent: 2 });
  });

  test.each([
    ['errors: stop', {}, 0],
    ['errors: { upTo: 5 }', { read: 5, full: 5 }, 5],
    ['errors: { read: 3, missing: 2 }', { read: 3, missing: 2, write: 0, sync: 0 }, 5],
    ['errors: { read: 3, upTo: 2 }', { read: 3, write: 0 }, 2],
  ])('lets as many I/O errors pass as %s says', (text, ofKind, inAll) => {
    const { errors } = resolve(`${small}${text}\n`);
    expect(errors.inAll).toBe(inAll);
    for (const [kind, most] of Object.entries(ofKind)) expect(errors.ofKind).toMatchObject({ [kind]: most });
  });

  test('says how many I/O errors it lets pass, and nothing of them when it lets none pass', () => {
    const described = (text: string): string[] => describePlan(resolve(`${small}${text}`));
    expect(described('errors: { read: 3, missing: 0, sync: 2 }\n')).toContain(
      'errors   each stage lets up to 5 I/O errors pass: at most read 3, sync 2',
    );
    expect(described('').filter((line) => line.startsWith('errors'))).toEqual([]);
  });

  test('lets no error of the generators or of memory pass: there is no storage to have them', () => {
    const text = 'data: { size: 1GiB }\ntarget: { kind: memory }\nstages: [{ write: {} }]\nerrors: { upTo: 5 }\n';
    expect(resolve(text).errors.inAll).toBe(0);
  });

  test('counts generations from the last delete, so that verify looks for what was written last', () => {
    const stages = ['generate', 'write', 'verify', 'write', 'read', 'verify', 'delete', 'write', 'verify'];
    const list = stages.map((stage) => `{ ${stage}: {} }`).join(', ');
    const plan = resolve(small.replace('{ write: {} }', list));
    expect(plan.stages.map((stage) => (stage.kind === 'network' ? '' : `${stage.kind} ${stage.generation}`))).toEqual([
      'generate 0',
      'write 0',
      'verify 0',
      'write 1',
      'read 1',
      'verify 1',
      'delete 1',
      'write 0',
      'verify 0',
    ]);
  });

  test('goes on counting where a delete removes nothing, so that old data never passes for new', () => {
    const stages = '[{ write: {} }, { delete: {} }, { write: {} }, { verify: {} }]';
    const plan = resolve(`data: { size: 1GiB }\ntarget: { kind: block, device: /dev/sdb }\nstages: ${stages}`);
    expect(plan.stages.map((stage) => (stage.kind === 'network' ? -1 : stage.generation))).toEqual([0, 0, 1, 1]);
    expect(plan.layout.objects).toBe(1);
    expect(plan.notes).toContain('delete removes nothing from a block device: what was written stays there');
  });

  test('survives JSON, with every digit of its seed', () => {
    const plan = resolve(small);
    expect(resolvedPlanFromJson(JSON.parse(JSON.stringify(resolvedPlanToJson(plan))))).toEqual(plan);
  });

  test('says what it rounded and what may surprise', () => {
    const text = `data: { size: 100.5MiB, dedup: { ratio: 1.5, window: 64 } }
target: { kind: file, path: /t, files: { count: 40 }, io: { sync: never } }
agents: { minimum: 100 }
stages: [{ write: {} }]`;
    expect(resolve(text).notes).toEqual([
      'data.size is rounded up from 102912KiB to 101MiB, a whole number of units',
      '101 units do not share out evenly over 40 files: there will be 34, each of 3 units but the last',
      'the data is no whole number of dedup windows of 64 units, so it will deduplicate somewhat less than 1.5:1',
      'the data makes 34 leases for at least 100 agents: some will have nothing to do, unless it is cut into more files or objects',
      'with sync: never, units that a lost agent wrote count as indeterminate, not as written',
    ]);
  });
});

describe('the description of a plan', () => {
  test('says what a run would do before it does it', () => {
    const text = `name: demo
seed: 42
data: { size: 4GiB, dedup: { ratio: 1.5 }, compress: { ratio: 2 } }
target: { kind: file, path: /var/tmp, files: { count: 64 } }
stages: [{ write: {} }, { write: {} }, { verify: { delay: 30s } }, { delete: {} }]`;
    expect(describePlan(resolve(text))).toEqual([
      'run      run-7 (demo), seed 42, namespace "run-7"',
      'data     4 GiB (4.29 GB): 4,096 units of 1MiB; dedup 1.5:1 in windows of 64 units; compression 2:1 (any, 128KiB records)',
      'target   /var/tmp/run-7',
      'files    64 files of 64MiB; blocks of 1MiB; direct I/O where the file system takes it; made durable after each range',
      'leases   64 of 64MiB, each for 10s after its last renewal',
      'agents   at least 1, at most 16 lanes of each, 4 blocks in flight of each lane',
      'stage 1  write',
      'stage 2  write generation 1',
      'stage 3  verify generation 1, after a wait of 30s',
      'stage 4  delete generation 1',
    ]);
  });

  test.each([
    ['{ kind: null }', 'target   null: bytes are made and thrown away'],
    ['{ kind: block, device: /dev/sdb }', 'target   the block device /dev/sdb, which must be empty'],
    [
      '{ kind: block, device: /dev/sdb, offset: 1GiB, size: 2GiB, identity: eui.1 }',
      'target   the block device /dev/sdb, from byte 1073741824 to byte 3221225472, eui.1: whatever is on it is lost',
    ],
    ['{ kind: memory, limit: 1GiB }', 'target   the memory of each agent, at most 1GiB'],
  ])('names the target %s', (target, line) => {
    const text = `data: { size: 1GiB }\ntarget: ${target}\nstages: [{ generate: {} }]`;
    expect(describePlan(resolve(text))).toContain(line);
  });
});
