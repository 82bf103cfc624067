/** From the coordinator's S3Target to the engine's. Pure. */
import { SeedstormError } from '@seedstorm/errors';
import type { S3Sink } from '@seedstorm/native';
import type { S3Target } from '@seedstorm/proto';
import { namePattern } from './file-target.js';

/**
 * Where the engine finds the objects of a run.
 * @throws SeedstormError MESSAGE_INVALID when the message names no place of a run.
 */
export function s3Target(target: S3Target): S3Sink {
  const { endpoints, bucket, prefix, runFolder: run, region, style, ca, signing } = target;
  if (!namePattern.test(run)) {
    throw new SeedstormError({ code: 'SEEDSTORM_E_MESSAGE_INVALID', what: `${run} is no part of a key for a run` });
  }
  return {
    endpoints,
    bucket,
    prefix,
    run,
    ...(region === '' ? {} : { region }),
    style,
    ...(ca === '' ? {} : { ca }),
    signing,
    attempts: target.attempts,
    backoffMs: target.backoffMs,
    timeoutMs: target.timeoutMs,
  };
}
