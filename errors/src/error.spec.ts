import { describe, expect, test } from 'vitest';
import { asSeedstormError, exitCodeOf, isSeedstormError, SeedstormError, SeedstormRangeError } from './error.js';

const unknownKey = new SeedstormError({
  code: 'SEEDSTORM_E_PLAN_UNKNOWN_KEY',
  what: 'unknown key "sise" in data',
  mend: 'did you mean "size"?',
  where: { file: 'plan.yaml', line: 7, column: 5 },
  details: [new SeedstormError({ code: 'SEEDSTORM_E_PLAN_INVALID', what: 'target is missing' })],
});

describe('an error', () => {
  test('says the same after it went over the wire', () => {
    const plain = JSON.parse(JSON.stringify(unknownKey));
    const back = SeedstormError.fromJSON(plain);
    expect(back.toJSON()).toEqual(unknownKey.toJSON());
    expect(isSeedstormError(back)).toBe(true);
    expect(back.exitCode).toBe(2);
  });

  test('gives the usual mend where none was written', () => {
    expect(new SeedstormError({ code: 'SEEDSTORM_E_NO_AGENTS', what: 'no agent joined' }).mend).toContain(
      'start more agents',
    );
  });

  test('of a newer peer keeps its code and its words', () => {
    const back = SeedstormError.fromJSON({ code: 'SEEDSTORM_E_FROM_THE_FUTURE', what: 'a new thing', mend: 'wait' });
    expect(back.code).toBe('SEEDSTORM_E_INTERNAL');
    expect(back.what).toBe('SEEDSTORM_E_FROM_THE_FUTURE: a new thing');
    expect(back.mend).toBe('wait');
  });

  test('sends neither its cause nor a stack to the other side', () => {
    const error = new SeedstormError({ code: 'SEEDSTORM_E_IO', what: 'write failed', cause: new Error('EIO') });
    expect(error.cause).toBeInstanceOf(Error);
    expect(Object.keys(error.toJSON())).toEqual(['code', 'what', 'mend']);
  });

  test('that is not ours still ends the command with a code and an exit code', () => {
    expect(asSeedstormError(new RangeError('out of range')).code).toBe('SEEDSTORM_E_INTERNAL');
    expect(asSeedstormError('thrown text').what).toBe('thrown text');
    expect(exitCodeOf(new RangeError('out of range'))).toBe(1);
    expect(exitCodeOf(unknownKey)).toBe(2);
  });

  test('of a value out of its range is a RangeError, and one of ours to everybody who asks', () => {
    const error = new SeedstormRangeError({ what: 'size is -1', mend: 'give a size of 0 or more' });
    expect(error).toBeInstanceOf(RangeError);
    expect(error).toBeInstanceOf(SeedstormError);
    expect([isSeedstormError(error), asSeedstormError(error) === error, exitCodeOf(error)]).toEqual([true, true, 2]);
    expect(error.toJSON()).toEqual({
      code: 'SEEDSTORM_E_INVALID_ARGUMENT',
      what: 'size is -1',
      mend: 'give a size of 0 or more',
    });
    expect(String(error)).toBe('SeedstormRangeError: size is -1');
    expect(unknownKey).not.toBeInstanceOf(RangeError);
    for (const other of [new RangeError('x'), new Error('x'), null, 'x', { code: 'SEEDSTORM_E_IO' }]) {
      expect(isSeedstormError(other)).toBe(false);
    }
  });
});
