import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { catalog, SeedstormError } from '@seedstorm/errors';
import { describe, expect, test } from 'vitest';
import { tokenMetadata, tokenOf } from './connection.js';
import { ErrorDetail } from './generated/seedstorm/v1/common.js';
import { fromErrorDetail, fromStatus, toErrorDetail, toStatus } from './status.js';

const address = 'node-1:7070';

/** What a client is given for a status that a server sent. */
function received(sent: ReturnType<typeof toStatus>): ServiceError {
  return Object.assign(new Error(sent.details), sent);
}

const plan = new SeedstormError({
  code: 'SEEDSTORM_E_PLAN_INVALID',
  what: 'the unit is 1 byte — too small',
  mend: 'say 1MiB',
  where: { file: 'pläne/a.yaml', line: 3, column: 7 },
  details: [new SeedstormError({ code: 'SEEDSTORM_E_PLAN_UNKNOWN_KEY', what: 'there is no key blok' })],
});

describe('errors on the wire', () => {
  test('an operator sees the coordinator’s own error: code, words, mend, place and every further mistake', () => {
    const back = fromStatus(received(toStatus(plan)), address);
    expect(back).toBeInstanceOf(SeedstormError);
    expect(back.toJSON()).toEqual(plan.toJSON());
    expect(back.exitCode).toBe(plan.exitCode);
  });

  test('every code survives the way there and back', () => {
    for (const { code } of catalog) {
      const error = new SeedstormError({ code, what: 'something' });
      expect(fromStatus(received(toStatus(error)), address).code).toBe(code);
      const wire = ErrorDetail.decode(ErrorDetail.encode(toErrorDetail(error)).finish());
      expect(fromErrorDetail(wire).toJSON()).toEqual(error.toJSON());
    }
  });

  test('other gRPC clients can tell what kind of error it is', () => {
    expect(toStatus(plan).code).toBe(status.INVALID_ARGUMENT);
    const code = (code: SeedstormError['code']): status => toStatus(new SeedstormError({ code, what: '' })).code;
    expect(code('SEEDSTORM_E_UNAUTHENTICATED')).toBe(status.UNAUTHENTICATED);
    expect(code('SEEDSTORM_E_RUN_NOT_FOUND')).toBe(status.NOT_FOUND);
    expect(code('SEEDSTORM_E_RUN_BUSY')).toBe(status.FAILED_PRECONDITION);
    expect(toStatus(new TypeError('a bug')).code).toBe(status.INTERNAL);
  });

  test('a bug on the other side is an internal error with its message, not a crash on this one', () => {
    expect(fromStatus(received(toStatus(new TypeError('a bug'))), address)).toMatchObject({
      code: 'SEEDSTORM_E_INTERNAL',
      what: 'a bug',
    });
  });

  test('a code of a newer version keeps its name in the text', () => {
    const detail = { code: 'SEEDSTORM_E_FROM_THE_FUTURE', what: 'news', mend: 'wait' };
    expect(fromErrorDetail(detail)).toMatchObject({
      code: 'SEEDSTORM_E_INTERNAL',
      what: 'SEEDSTORM_E_FROM_THE_FUTURE: news',
      mend: 'wait',
    });
  });

  test.each([
    [status.UNAVAILABLE, 'SEEDSTORM_E_COORDINATOR_UNREACHABLE'],
    [status.DEADLINE_EXCEEDED, 'SEEDSTORM_E_COORDINATOR_UNREACHABLE'],
    [status.CANCELLED, 'SEEDSTORM_E_COORDINATOR_UNREACHABLE'],
    [status.UNIMPLEMENTED, 'SEEDSTORM_E_PROTOCOL_VERSION'],
    [status.RESOURCE_EXHAUSTED, 'SEEDSTORM_E_INTERNAL'],
  ])('what the transport says by itself (%s) names the address that was called', (code, expected) => {
    const error = received({ code, details: 'no words', metadata: new Metadata() });
    expect(fromStatus(error, address)).toMatchObject({ code: expected, what: expect.stringContaining(address) });
  });

  test('a trailer that is no error of ours is not taken for one', () => {
    for (const text of ['no JSON', '1', 'null', '{"code":7}', '[]']) {
      const metadata = new Metadata();
      metadata.add('seedstorm-error-bin', Buffer.from(text));
      const error = received({ code: status.UNAVAILABLE, details: '', metadata });
      expect(fromStatus(error, address).code).toBe('SEEDSTORM_E_COORDINATOR_UNREACHABLE');
    }
  });
});

describe('the token', () => {
  test('is read as it was written, and nothing else is taken for one', () => {
    expect(tokenOf(tokenMetadata('a token'))).toBe('a token');
    expect(tokenOf(new Metadata())).toBeUndefined();
    const basic = new Metadata();
    basic.set('authorization', 'Basic abc');
    expect(tokenOf(basic)).toBeUndefined();
  });
});
