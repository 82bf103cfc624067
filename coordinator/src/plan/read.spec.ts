import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { maxPlanBytes } from './parse.js';
import { readPlanText } from './read.js';

const folder = mkdtempSync(path.join(tmpdir(), 'seedstorm-plan-'));
afterAll(() => rmSync(folder, { recursive: true }));

function written(name: string, content: string | Buffer): string {
  const file = path.join(folder, name);
  writeFileSync(file, content);
  return file;
}

describe('a plan file', () => {
  test('is read as the text it holds', async () => {
    expect(await readPlanText(written('plan.yaml', 'namespace: é\n'))).toBe('namespace: é\n');
  });

  test.each([
    ['is missing', () => path.join(folder, 'no-such.yaml'), 'does not exist'],
    ['lies under a file', () => path.join(written('a', ''), 'plan.yaml'), 'does not exist'],
    ['is a folder', () => folder, 'is a folder'],
    ['is a device without end', () => '/dev/zero', 'is longer than 128KiB'],
    [
      'is too long to be a plan',
      () => written('long.yaml', Buffer.alloc(maxPlanBytes + 1, 'a')),
      'is longer than 128KiB',
    ],
    ['is no text', () => written('binary', Buffer.from([0x80, 0x00, 0xff])), 'is not text in UTF-8'],
  ])('that %s is one clear error, not a stack trace', async (_name, file, expected) => {
    await expect(readPlanText(file())).rejects.toMatchObject({
      code: 'SEEDSTORM_E_PLAN_UNREADABLE',
      what: expect.stringContaining(expected),
    });
  });
});
