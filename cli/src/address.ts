/** Addresses of coordinators, as host:port. */
import { isIP } from 'node:net';
import { SeedstormError } from '@seedstorm/errors';

/** Where a coordinator listens unless told otherwise. */
export const usualAddress = '127.0.0.1:7070';

/**
 * An address, unchanged.
 * @throws SeedstormError INVALID_ARGUMENT when it is none.
 */
export function parseAddress(text: string): string {
  const [, host = '', port = ''] = /^(\[[\da-fA-F:.]+\]|[^:[\]\s/]+):(\d{1,5})$/u.exec(text) ?? [];
  if (host === '' || Number(port) > 65_535) {
    throw new SeedstormError({
      code: 'SEEDSTORM_E_INVALID_ARGUMENT',
      what: `“${text}” is not an address`,
      mend: 'write host:port, such as node-1:7070 or [::1]:7070',
    });
  }
  return text;
}

/**
 * An IP address, unchanged.
 * @throws SeedstormError INVALID_ARGUMENT when it is none.
 */
export function parseIp(text: string): string {
  if (isIP(text) === 0) {
    throw new SeedstormError({
      code: 'SEEDSTORM_E_INVALID_ARGUMENT',
      what: `“${text}” is no IP address`,
      mend: 'write one of this host, such as 10.0.0.7 or fd00::7',
    });
  }
  return text;
}
