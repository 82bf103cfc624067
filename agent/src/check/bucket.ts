/** Asks the endpoints of an S3 target: is the bucket there, are the credentials good, is the store's clock near ours. */
import { SeedstormError } from '@seedstorm/errors';
import { checkS3 } from '@seedstorm/native';
import { CheckLevel, type S3Target } from '@seedstorm/proto';
import { s3Target } from '../s3-target.js';

/** A third of what S3 bears: signatures are good for 15 minutes. */
const maxClockOffsetMs = 300_000;

type Find = (level: CheckLevel, error: unknown) => void;

/** Asks every endpoint for the bucket. */
export async function checkBucket(target: S3Target, find: Find): Promise<void> {
  for (const endpoint of target.endpoints) {
    try {
      const offsetMs = await checkS3(s3Target({ ...target, endpoints: [endpoint] }));
      if (offsetMs === undefined || Math.abs(offsetMs) < maxClockOffsetMs) continue;
      const seconds = Math.round(Math.abs(offsetMs) / 1000);
      const what = `the clock of ${endpoint} is ${seconds} s ${offsetMs > 0 ? 'ahead of' : 'behind'} this agent's`;
      // Stores refuse requests that are signed 15 minutes off their own time.
      const mend = 'set the clocks right: a store refuses signatures that are too far from its own time';
      find(CheckLevel.WARNING, new SeedstormError({ code: 'SEEDSTORM_E_ACCESS_DENIED', what, mend }));
    } catch (error) {
      find(CheckLevel.ERROR, error);
    }
  }
}
