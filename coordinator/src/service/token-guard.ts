/** Lets no call through that does not show the cluster's token: one interceptor before every method, so none is forgotten. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';
import { SeedstormError } from '@seedstorm/errors';
import { tokenOf, toStatus } from '@seedstorm/proto';

/** An interceptor that refuses calls without this token. */
export function tokenGuard(token: string): ServerInterceptor {
  const expected = digest(token);
  return (_method, call) =>
    new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, pass) => {
            const shown = tokenOf(metadata);
            if (shown !== undefined && timingSafeEqual(digest(shown), expected)) {
              pass(metadata);
              return;
            }
            const what =
              shown === undefined ? 'the call shows no token' : 'the call shows another token than the coordinator has';
            call.sendStatus(toStatus(new SeedstormError({ code: 'SEEDSTORM_E_UNAUTHENTICATED', what })));
          },
        }),
    });
}

/** Digests are of one length, as a comparison in constant time needs. */
function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
