/** Reads the text of a plan file; what the text means is for parse.ts. */
import { createReadStream } from 'node:fs';
import { SeedstormError } from '@seedstorm/errors';
import { maxPlanBytes } from './parse.js';

/**
 * The text of a plan file.
 * @throws SeedstormError PLAN_UNREADABLE when it is missing, a folder, longer than 128 KiB, or not UTF-8
 */
export async function readPlanText(fileName: string): Promise<string> {
  try {
    const chunks: Buffer[] = [];
    // One byte past the limit tells a plan that is too long; so a pipe or a device without end is no trap.
    for await (const chunk of createReadStream(fileName, { end: maxPlanBytes })) chunks.push(chunk as Buffer);
    const bytes = Buffer.concat(chunks);
    if (bytes.length > maxPlanBytes) throw unreadable(`${fileName} is longer than 128KiB`);
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw unreadable(`${fileName} does not exist`, error);
    if (code === 'EISDIR') throw unreadable(`${fileName} is a folder`, error);
    if (code === 'EACCES') throw unreadable(`${fileName} may not be read by this user`, error);
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') throw unreadable(`${fileName} is not text in UTF-8`, error);
    if (error instanceof SeedstormError) throw error;
    throw unreadable(`${fileName} cannot be read: ${(error as Error).message}`, error);
  }
}

function unreadable(what: string, cause?: unknown): SeedstormError {
  return new SeedstormError({ code: 'SEEDSTORM_E_PLAN_UNREADABLE', what, cause });
}
