/** `test` with a sandbox of its own for each test that asks for one: `test('…', async ({ sandbox }) => …)`. */
import { test as base } from 'vitest';
import { Sandbox } from './sandbox.js';

export const test = base.extend<{ sandbox: Sandbox }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads from the pattern what the fixture needs
  sandbox: async ({}, use) => {
    await using sandbox = new Sandbox();
    await use(sandbox);
  },
});
