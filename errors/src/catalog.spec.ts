import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { catalog, catalogEntry, codeFromName, isErrorCode } from './catalog.js';

describe('the catalogue of errors', () => {
  test('an error of the native engine reaches the user under its own code, not as an internal error', () => {
    const source = readFileSync(fileURLToPath(new URL('../../native/engine/src/error.rs', import.meta.url)), 'utf8');
    const names = [...source.matchAll(/^ {4}\w+ => "([A-Z_]+)",$/gmu)].map((match) => match[1] ?? '');
    expect(names.length).toBeGreaterThanOrEqual(14);
    expect(names.filter((name) => codeFromName(name) === undefined)).toEqual([]);
  });

  test('a code stands for one thing only', () => {
    const codes = catalog.map((entry) => entry.code);
    expect(new Set(codes).size).toBe(codes.length);
  });

  test('each code tells what it means in sentences, and its mend in one clause that fits behind "mend:"', () => {
    for (const entry of catalog) {
      expect(entry.code).toMatch(/^SEEDSTORM_E_[A-Z]+(_[A-Z]+)*$/u);
      expect(entry.meaning, entry.code).toMatch(/^\p{L}.*\.$/u);
      expect(entry.mend, entry.code).toMatch(/^\p{Ll}.*[^.]$/u);
    }
  });

  test('a script can tell wrong plans, failed runs, corrupt data and a stop apart by the exit code', () => {
    expect(catalogEntry('SEEDSTORM_E_PLAN_UNKNOWN_KEY').exit).toBe(2);
    expect(catalogEntry('SEEDSTORM_E_DISK_FULL').exit).toBe(1);
    expect(catalogEntry('SEEDSTORM_E_DATA_CORRUPT').exit).toBe(3);
    expect(catalogEntry('SEEDSTORM_E_STOPPED').exit).toBe(130);
  });

  test('a code of another version is told from one of ours', () => {
    expect(isErrorCode('SEEDSTORM_E_FROM_THE_FUTURE')).toBe(false);
    expect(codeFromName('FROM_THE_FUTURE')).toBeUndefined();
    expect(codeFromName('DISK_FULL')).toBe('SEEDSTORM_E_DISK_FULL');
  });
});
