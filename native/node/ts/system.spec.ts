import { expect, test } from 'vitest';
import { systemInformation } from './system.js';

test('system information tells of the machine and of this build', () => {
  const system = systemInformation();
  expect(system.cores).toBeGreaterThan(0);
  expect(system.pus).toBeGreaterThanOrEqual(system.allowedPus);
  expect(system.numaNodes.length).toBeGreaterThan(0);
  expect(system.pageBytes).toBeGreaterThanOrEqual(4096);
  expect(system.kernels.available).toContain(system.kernels.inUse);
  expect(system.versions).toEqual({
    library: expect.stringMatching(/^\d+\.\d+\.\d+/u),
    content: 1,
    node: process.versions.node,
  });
});
