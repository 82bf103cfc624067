/** How a SeedstormError crosses gRPC: as a status with the ErrorDetail in its trailer. The one mapping, both ways. */
import { Metadata, type ServiceError, type StatusObject, status } from '@grpc/grpc-js';
import { asSeedstormError, type ErrorCode, type PlainError, SeedstormError } from '@seedstorm/errors';
import type { ErrorDetail } from './generated/seedstorm/v1/common.js';

const trailer = 'seedstorm-error-bin';

/** Statuses that tell other gRPC clients what kind of error it is; every other code is FAILED_PRECONDITION. */
const statusOfCode: Partial<Record<ErrorCode, status>> = {
  SEEDSTORM_E_UNAUTHENTICATED: status.UNAUTHENTICATED,
  SEEDSTORM_E_RUN_NOT_FOUND: status.NOT_FOUND,
  SEEDSTORM_E_LIMIT: status.RESOURCE_EXHAUSTED,
  SEEDSTORM_E_PLAN_SYNTAX: status.INVALID_ARGUMENT,
  SEEDSTORM_E_PLAN_UNKNOWN_KEY: status.INVALID_ARGUMENT,
  SEEDSTORM_E_PLAN_INVALID: status.INVALID_ARGUMENT,
  SEEDSTORM_E_MESSAGE_INVALID: status.INVALID_ARGUMENT,
  SEEDSTORM_E_INTERNAL: status.INTERNAL,
};

/** An error as the wire's message. */
export function toErrorDetail(error: unknown): ErrorDetail {
  const { code, what, mend } = asSeedstormError(error);
  return { code, what, mend };
}

/** The error that a wire's message stands for. */
export function fromErrorDetail(detail: ErrorDetail): SeedstormError {
  return SeedstormError.fromJSON(detail);
}

/** An error as what a gRPC server ends a call with. */
export function toStatus(error: unknown): Pick<StatusObject, 'code' | 'details' | 'metadata'> {
  const known = asSeedstormError(error);
  const metadata = new Metadata();
  metadata.add(trailer, Buffer.from(JSON.stringify(known)));
  return { code: statusOfCode[known.code] ?? status.FAILED_PRECONDITION, details: known.what, metadata };
}

/**
 * The error that a gRPC client got. What carries no ErrorDetail is the transport's word: no coordinator answers, or
 * it speaks another language.
 */
export function fromStatus(error: ServiceError, address: string): SeedstormError {
  const plain = plainErrorOf(error);
  if (plain !== undefined) return SeedstormError.fromJSON(plain);
  if (error.code === status.UNAVAILABLE || error.code === status.DEADLINE_EXCEEDED) {
    return new SeedstormError({
      code: 'SEEDSTORM_E_COORDINATOR_UNREACHABLE',
      what: `no coordinator answers at ${address}`,
      cause: error,
    });
  }
  if (error.code === status.CANCELLED) {
    return new SeedstormError({
      code: 'SEEDSTORM_E_COORDINATOR_UNREACHABLE',
      what: `the coordinator at ${address} broke the call off`,
      cause: error,
    });
  }
  if (error.code === status.UNIMPLEMENTED) {
    return new SeedstormError({
      code: 'SEEDSTORM_E_PROTOCOL_VERSION',
      what: `what answers at ${address} does not speak seedstorm.v1`,
      cause: error,
    });
  }
  return new SeedstormError({
    code: 'SEEDSTORM_E_INTERNAL',
    what: `the call to ${address} failed: ${error.details}`,
    cause: error,
  });
}

/** The error in a status's trailer, if there is one: a proxy may put anything there. */
function plainErrorOf({ metadata }: ServiceError): PlainError | undefined {
  const [detail] = metadata?.get(trailer) ?? [];
  if (!(detail instanceof Buffer)) return undefined;
  try {
    const parsed: unknown = JSON.parse(detail.toString('utf8'));
    return isPlainError(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function isPlainError(value: unknown): value is PlainError {
  if (typeof value !== 'object' || value === null) return false;
  const { code, what, mend, details = [] }: Partial<Record<keyof PlainError, unknown>> = value;
  const isTexts = [code, what, mend].every((text) => typeof text === 'string');
  return isTexts && Array.isArray(details) && details.every(isPlainError);
}
