/** The token that agents and operators show: from a file that only its owner can read, or from the environment. */
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { SeedstormError } from '@seedstorm/errors';

/** How a parent process hands the token to its children: readable by the same user only, and never in argv. */
export const tokenVariable = 'SEEDSTORM_TOKEN';

/** Where the token is, unless a command is told otherwise: the same for coordinator, agents and operators of a user. */
const usualTokenFile = join(homedir(), '.seedstorm', 'token');
/** The same, as help and reference name it. */
export const usualTokenFileName = '~/.seedstorm/token';

/** A new token. */
export function newToken(): string {
  return randomBytes(32).toString('base64url');
}

/**
 * The token to show. A coordinator makes the file when it is not there.
 * @throws SeedstormError UNAUTHENTICATED when there is none, or others can read it.
 */
export function readToken(file: string | undefined, options: { create: boolean }): string {
  const given = process.env[tokenVariable];
  if (file === undefined && given !== undefined && given !== '') return given;
  const path = file ?? usualTokenFile;
  if (!existsSync(path)) {
    if (!options.create) {
      throw new SeedstormError({
        code: 'SEEDSTORM_E_UNAUTHENTICATED',
        what: `there is no token file ${path}`,
        mend: 'give --token-file the file that the coordinator wrote when it started',
      });
    }
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(path, `${newToken()}\n`, { mode: 0o600, flag: 'wx' });
    chmodSync(path, 0o600);
  }
  const mode = statSync(path).mode & 0o777;
  if ((mode & 0o077) !== 0) {
    throw new SeedstormError({
      code: 'SEEDSTORM_E_UNAUTHENTICATED',
      what: `others can read the token file ${path} (mode ${mode.toString(8)})`,
      mend: `chmod 600 ${path}`,
    });
  }
  const token = readFileSync(path, 'utf8').trim();
  if (token.length < 16) {
    throw new SeedstormError({
      code: 'SEEDSTORM_E_UNAUTHENTICATED',
      what: `${path} holds no token`,
      mend: `remove ${path}, and start the coordinator again`,
    });
  }
  return token;
}
