/** Fills in every default of a plan's target. Pure: it asks nothing of any storage. */
import path from 'node:path';
import { defaults } from './choices.js';
import type { ResolvedTarget } from './resolved.js';
import type { Plan, PlanS3Target } from './schema.js';
import { s3Defaults } from './schema-s3.js';

/** Where a target is: what the run is called, and the absolute folder that relative paths start from. */
interface Place {
  readonly runId: string;
  readonly planFolder: string;
}

/** The target with every default filled in. */
export function resolveTarget(target: Plan['target'], context: Place): ResolvedTarget {
  if (target.kind === 'null') return { kind: 'null' };
  if (target.kind === 'memory') {
    return { kind: 'memory', ...(target.limit === undefined ? {} : { limitBytes: target.limit }) };
  }
  if (target.kind === 'block') {
    return {
      kind: 'block',
      device: path.normalize(target.device),
      ...(target.identity === undefined ? {} : { identity: target.identity }),
      offsetBytes: target.offset ?? defaults.offsetBytes,
      ...(target.size === undefined ? {} : { sizeBytes: target.size }),
      sync: target.io?.sync ?? defaults.sync,
      engine: target.io?.engine ?? defaults.ioEngine,
    };
  }
  if (target.kind === 's3') return resolveS3(target);
  const named = target.paths ?? (target.path === undefined ? [] : [target.path]);
  const paths = named.map((each) => path.resolve(context.planFolder, each));
  return {
    kind: 'file',
    paths,
    runFolders: paths.map((each) => path.join(each, context.runId)),
    scope: target.scope ?? defaults.scope,
    shareTarget: target.shareTarget ?? false,
    direct: target.tree === undefined ? (target.io?.direct ?? defaults.direct) : false,
    sync: target.io?.sync ?? defaults.sync,
    engine: target.io?.engine ?? defaults.ioEngine,
    preallocate: target.io?.preallocate ?? defaults.preallocate,
  };
}

function resolveS3(target: PlanS3Target): ResolvedTarget {
  const { bucket, region, ca, retries } = target;
  const endpoints = target.endpoints ?? (target.endpoint === undefined ? [] : [target.endpoint]);
  return {
    kind: 's3',
    endpoints: endpoints.map((endpoint) => new URL(endpoint).origin),
    bucket,
    prefix: (target.prefix ?? '').replace(/^\/|\/$/gu, ''),
    ...(region === undefined ? {} : { region }),
    style: target.style ?? s3Defaults.style,
    ...(ca === undefined ? {} : { ca }),
    signing: target.signing ?? s3Defaults.signing,
    attempts: retries?.attempts ?? s3Defaults.attempts,
    backoffMs: retries?.backoff ?? s3Defaults.backoffMs,
    timeoutMs: target.timeout ?? s3Defaults.timeoutMs,
    shareTarget: target.shareTarget ?? false,
  };
}
