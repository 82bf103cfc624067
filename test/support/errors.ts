/** What every error of the command must look like to the person who reads it. */
import { expect } from 'vitest';
import type { Ended } from './command.js';

/** Asserts that a command ended with an error as a person wants it: its code, what to do, and no stack trace. */
export function expectError(ended: Ended, exit: number, code: string, what: RegExp): void {
  const said = `${ended.stderr.slice(-3000)}\n${ended.stdout.slice(-1000)}`;
  expect(ended.code, said).toBe(exit);
  expect(ended.signal).toBeNull();
  const errors = ended.stderr.split('\n').filter((line) => line.startsWith('error '));
  expect(errors, said).toHaveLength(1);
  expect(errors[0]).toMatch(new RegExp(`^error ${code}: `, 'u'));
  expect(errors[0]).toMatch(what);
  expect(ended.stderr, 'a mend').toMatch(/^ {2}mend: \S/mu);
  expectNoTrace(ended);
}

/** Asserts that nothing that a program prints of its inside reached the user. */
export function expectNoTrace({ stdout, stderr }: Ended): void {
  expect(stderr).not.toMatch(/^ {4}at /mu);
  expect(stdout).not.toMatch(/^ {4}at /mu);
  expect(stderr).not.toMatch(/UnhandledPromise|SEEDSTORM_E_INTERNAL|panicked/u);
}
