import { isSeedstormError } from '@seedstorm/errors';
import { describe, expect, test } from 'vitest';
import { parsePlan } from './parse.js';
import { resolvePlan } from './resolve.js';

const context = { runId: 'r', randomSeed: 1n, defaultWindowBits: () => 0, planFolder: '/plans' };

function plan(tree: string, stages = '- mkdir: {}\n- create: {}', more = '', data = '{}'): string {
  return `data: ${data}\ntarget: { kind: file, path: /t, tree: { ${tree} }${more} }\nstages:\n${stages}\n`;
}

function resolved(...text: Parameters<typeof plan>) {
  return resolvePlan(parsePlan(plan(...text), 'plan.yaml'), context);
}

function refusal(...text: Parameters<typeof plan>): string {
  try {
    parsePlan(plan(...text), 'plan.yaml');
  } catch (error) {
    if (isSeedstormError(error)) return [error, ...error.details].map(({ what }) => what).join('; ');
    throw error;
  }
  return '';
}

describe('a tree of files', () => {
  test('needs no size of the data: a file is the first bytes of units of its own', () => {
    const { layout, blockBytes } = resolved('directories: 10, filesPerDirectory: 100, fileSize: 3901');
    expect(layout).toMatchObject({ units: 1000, unitBytes: 4096, unitsPerObject: 1, objects: 1000 });
    expect(layout.tree).toEqual({ directories: 10, filesPerDirectory: 100, fileBytes: 3901, branching: 0 });
    expect(blockBytes).toBe(4096);
    expect(resolved('directories: 1, filesPerDirectory: 2').layout).toMatchObject({ units: 2, unitBytes: 4096 });
    const large = resolved('directories: 1, filesPerDirectory: 2, fileSize: 3MB').layout;
    expect(large).toMatchObject({ unitBytes: 1024 ** 2, unitsPerObject: 3, units: 6 });
  });

  test('is leased by whole directories, and by files where agents share them', () => {
    const leases = (tree: string) => {
      const { grainUnits, leaseUnits } = resolved(tree);
      expect(leaseUnits % grainUnits).toBe(0);
      return [grainUnits, leaseUnits];
    };
    expect(leases('directories: 10000, filesPerDirectory: 100')).toEqual([100, 4000]);
    expect(leases('directories: 10000, filesPerDirectory: 100, shared: true')).toEqual([1, 4096]);
    expect(leases('directories: 1, filesPerDirectory: 6400')).toEqual([1, 100]);
    expect(leases('directories: 2, filesPerDirectory: 1000000')).toEqual([1_000_000, 1_000_000]);
  });

  test('is read and written buffered, one call at a time in each lane, and says so', () => {
    const { target, queueDepth, notes } = resolvePlan(
      parsePlan(`${plan('directories: 1, filesPerDirectory: 1')}load: { queueDepth: 8 }\n`, 'plan.yaml'),
      context,
    );
    expect(target).toMatchObject({ direct: false });
    expect(queueDepth).toBe(1);
    expect(notes.join()).toMatch(/queueDepth has no part/u);
  });

  test('has the names that renames gave it in later stages, and its first ones after a delete', () => {
    const stages = ['mkdir', 'create', 'rename', 'stat', 'rename', 'delete', 'mkdir', 'create', 'stat']
      .map((kind, index) => `- ${kind}: ${index === 4 ? '{ into: next }' : '{}'}`)
      .join('\n');
    const names = resolved('directories: 2, filesPerDirectory: 1', stages).stages.map((stage) =>
      stage.kind === 'network' ? [] : [stage.names, stage.nextNames].map((each) => each && [each.renames, each.shift]),
    );
    expect(names[2]).toEqual([
      [0, 0],
      [1, 0],
    ]);
    expect(names[3]).toEqual([[1, 0], undefined]);
    expect(names[4]).toEqual([
      [1, 0],
      [2, 1],
    ]);
    expect(names[5]).toEqual([[2, 1], undefined]);
    expect(names[8]).toEqual([[0, 0], undefined]);
  });

  test.each([
    [
      'a size of data',
      ['directories: 1, filesPerDirectory: 1', undefined, '', '{ size: 1GiB }'],
      /the tree's files say/u,
    ],
    ['direct I/O', ['directories: 1, filesPerDirectory: 1', undefined, ', io: { direct: true }'], /buffered/u],
    ['a sync at the end', ['directories: 1, filesPerDirectory: 1', undefined, ', io: { sync: end }'], /one by one/u],
    [
      'large files beside it',
      ['directories: 1, filesPerDirectory: 1', undefined, ', files: { count: 1 }'],
      /tree of small/u,
    ],
    ['storage of each host', ['directories: 1, filesPerDirectory: 1', undefined, ', scope: local'], /shared by all/u],
    ['too deep a tree', ['directories: 200, filesPerDirectory: 1, branching: 1'], /more than 128 deep/u],
    ['too many files', ['directories: 1000000, filesPerDirectory: 1000000'], /more than 1000000000 files/u],
    ['no directories', ['directories: 1, filesPerDirectory: 1', '- create: {}'], /no directories to create files in/u],
    ['no files', ['directories: 1, filesPerDirectory: 1', '- mkdir: {}\n- stat: {}'], /no files were created before/u],
    [
      'a second create',
      ['directories: 1, filesPerDirectory: 1', '- mkdir: {}\n- create: {}\n- create: {}'],
      /there already/u,
    ],
    ['a write', ['directories: 1, filesPerDirectory: 1', '- write: {}'], /files of a tree are created/u],
  ] as const)('is refused with %s before anything is written', (_, text, what) => {
    const [tree, stages, more, data] = text;
    expect(refusal(tree, stages, more, data)).toMatch(what);
  });
});

describe('other targets', () => {
  const over = (target: string, stage: string): string => {
    try {
      parsePlan(`data: { size: 1GiB }\ntarget: ${target}\nstages: [{ write: {} }, { ${stage}: {} }]\n`, 'plan.yaml');
      return '';
    } catch (error) {
      if (isSeedstormError(error)) return error.what;
      throw error;
    }
  };

  test.each(['{ kind: memory }', '{ kind: "null" }', '{ kind: block, device: /dev/sdx }'])(
    '%s has no names',
    (target) => {
      expect(over(target, 'stat')).toMatch(/has no names to look at/u);
      expect(over(target, 'list')).toMatch(/has no names to look at/u);
      expect(over(target, 'mkdir')).toMatch(/no tree of files/u);
      expect(over(target, 'create')).toMatch(/no tree of files/u);
      expect(over(target, 'rename')).toMatch(/no tree of files/u);
    },
  );

  test('files have names, and no tree', () => {
    expect(over('{ kind: file, path: /t }', 'stat')).toBe('');
    expect(over('{ kind: file, path: /t }', 'list')).toBe('');
    expect(over('{ kind: file, path: /t }', 'create')).toMatch(/no tree of files/u);
  });

  test('need a size of the data', () => {
    expect(() => parsePlan('data: {}\ntarget: { kind: memory }\nstages: [{ write: {} }]\n', 'plan.yaml')).toThrow(
      /data.size is missing/u,
    );
  });
});
