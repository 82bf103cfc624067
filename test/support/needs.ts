/** What a test needs of the machine. Where it is not to be had the test is skipped and says so; in CI that is a failure. */
import type { TestContext } from 'vitest';

/** Skips the test unless this holds. */
export function needs(skip: TestContext['skip'], holds: boolean, what: string): void {
  if (!holds && process.env.CI === 'true') throw new Error(`needs ${what}`);
  skip(!holds, `skipped: needs ${what}`);
}

/** Skips the test unless root runs it, and says what for. */
export function needsRoot(skip: TestContext['skip'], purpose: string): void {
  needs(skip, process.getuid?.() === 0, `root, ${purpose}`);
}
