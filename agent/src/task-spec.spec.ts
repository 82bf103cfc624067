import { Operation, type PrepareStage } from '@seedstorm/proto';
import { describe, expect, test } from 'vitest';
import { taskSpec } from './task-spec.js';
import { filesIn, prepareStage } from './testing.js';

const inFolder = (path: string, runFolder: string): PrepareStage =>
  prepareStage({ target: filesIn(path, { runFolder, sync: 'end', preallocate: 'auto', scope: 'local' }) });

describe('the task of a stage', () => {
  test('is what the coordinator asks for, number by number', () => {
    expect(taskSpec(inFolder('/mnt/target', '20260101-000000-abcd'), 8)).toEqual({
      operation: 'write',
      content: {
        seed: 2n ** 64n - 1n,
        namespace: 'run',
        unitBytes: 65_536,
        dedupMilli: 1500,
        windowBits: 4,
        compressMilli: 2000,
        codec: 'lz4',
        recordBytes: 4096,
      },
      generation: 0,
      units: 64,
      unitsPerObject: 16,
      blockBytes: 65_536,
      queueDepth: 4,
      ioEngine: 'auto',
      sparedObjects: [],
      sink: 'file',
      folders: ['/mnt/target/20260101-000000-abcd'],
      preallocate: 'auto',
      local: true,
      direct: 'auto',
      sync: 'end',
    });
  });

  test('takes the lanes that the plan names, and leaves out objects that hold evidence', () => {
    const spec = taskSpec(prepareStage({ lanes: 3, operation: Operation.DELETE, sparedObjects: [2n, 3n] }), 8);
    expect(spec).toMatchObject({ lanes: 3, operation: 'delete', sparedObjects: [2, 3] });
  });

  test.each<[string, number, number, number | undefined]>([
    ['the plan names none and asks for no modesty', 0, 0, undefined],
    ['the agent has no more than is modest', 0, 8, undefined],
    ['the agent has more than is modest', 0, 3, 3],
    ['the plan names more than is modest', 6, 3, 6],
  ])('takes the right number of lanes where %s', (_, lanes, modestLanes, wanted) => {
    expect(taskSpec(prepareStage({ lanes, modestLanes }), 8).lanes).toBe(wanted);
  });

  test.each([
    ['/mnt/target', '..'],
    ['/mnt/target', '.'],
    ['/mnt/target', ''],
    ['/mnt/target', '../home'],
    ['/mnt/target', 'a/../../home'],
    ['/mnt/target', '/etc'],
    ['/mnt/target', 'run/'],
    ['/mnt/target', 'run\0'],
    ['/mnt/target', 'run\n'],
    ['/mnt/target', '.hidden'],
    ['/mnt/target', 'x'.repeat(129)],
    ['target', 'run'],
    ['', 'run'],
    ['../target', 'run'],
  ])('a run folder that could lead out of the target is refused: %j, %j', (path, name) => {
    expect(() => taskSpec(inFolder(path, name), 8)).toThrow(
      expect.objectContaining({ code: 'SEEDSTORM_E_MESSAGE_INVALID' }),
    );
  });

  test('names a device, and the part of it where it is not all', () => {
    const onDevice = (device: string, sizeBytes: bigint, identity: string) => {
      const value = { device, identity, offsetBytes: 4096n, sizeBytes, sync: 'range' };
      return taskSpec(prepareStage({ target: { kind: { $case: 'block', value } } }), 8);
    };
    expect(onDevice('/dev/sdb', 8192n, 'eui.1')).toMatchObject({
      sink: 'block',
      place: { device: '/dev/sdb', offset: 4096, bytes: 8192, identity: 'eui.1' },
      sync: 'range',
    });
    expect(onDevice('/dev/sdb', 0n, '').place).toEqual({ device: '/dev/sdb', offset: 4096 });
    expect(() => onDevice('sdb', 0n, '')).toThrow(expect.objectContaining({ code: 'SEEDSTORM_E_MESSAGE_INVALID' }));
  });

  test.each<[string, Partial<PrepareStage>]>([
    ['an operation of a newer version', { operation: Operation.UNRECOGNIZED }],
    ['no operation', { operation: Operation.UNSPECIFIED }],
    ['no content', { content: undefined }],
    ['no target', { target: undefined }],
    ['a way for I/O that is not known here', { ioEngine: 'telepathy' }],
    ['a kind of target that is not known here', { target: { kind: undefined } }],
  ])('%s is refused, not guessed', (_, changes) => {
    expect(() => taskSpec(prepareStage(changes), 8)).toThrow(
      expect.objectContaining({ code: 'SEEDSTORM_E_MESSAGE_INVALID' }),
    );
  });
});
