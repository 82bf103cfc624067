import { defineConfig } from 'vitest/config';

// Unit specs live beside the code; black-box suites, which start real processes, live in test/ and run three at a time, but for
// those that need the whole machine's page cache to themselves; those in test/numa/ look into guests with several NUMA nodes.
const blackBox = { pool: 'forks', testTimeout: 120_000, hookTimeout: 120_000 } as const;
const alone = ['test/page-cache.test.ts', 'test/faults/*.test.ts'];

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['*/src/**/*.spec.ts', 'native/node/ts/**/*.spec.ts'],
          pool: 'forks',
          // Specs keep no state in modules, so files share a process: loading everything for each takes longer than they do.
          isolate: false,
          // Many wait for time-outs rather than for a core.
          maxWorkers: 3,
          // A property of ten thousand cases takes long on a machine that does other things too.
          testTimeout: 30_000,
        },
      },
      { test: { name: 'black-box', include: ['test/*.test.ts'], exclude: alone, maxWorkers: 3, ...blackBox } },
      { test: { name: 'alone', include: alone, fileParallelism: false, ...blackBox } },
      {
        test: {
          name: 'numa',
          include: ['test/numa/*.test.ts'],
          globalSetup: 'test/numa/setup.ts',
          pool: 'forks',
          // One guest leaves half of a core idle; more than two are too slow to come up in time.
          maxWorkers: 2,
          // The first test of a file waits for its guest, which may be booted more than once.
          testTimeout: 400_000,
        },
      },
    ],
  },
});
