/** Addresses of coordinators, as host:port. */
import { SeedstormError } from '@seedstorm/errors';

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

/** Whether what is sent to an address never leaves this host. */
export function isLoopback(address: string): boolean {
  const host = address.slice(0, address.lastIndexOf(':'));
  return host === 'localhost' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/u.test(host);
}
