import { defineConfig } from 'vitest/config';

// Unit specs live beside the code; black-box suites, which start real processes, live in test/ and run one at a time.
export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['*/src/**/*.spec.ts', 'native/node/ts/**/*.spec.ts'], pool: 'forks' } },
      {
        test: {
          name: 'black-box',
          include: ['test/**/*.test.ts'],
          pool: 'forks',
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
