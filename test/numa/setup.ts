/** Before the suite: what the guests need is installed, and their kernel and root file system are made. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { root } from '../support/command.js';
import { makeImage } from './image.js';
import { kernel } from './kernel.js';
import { isRoot, missing } from './needs.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** What guests boot from, or what is missing for it. */
    guest: { readonly kernel: string; readonly image: string } | { readonly missing: string };
  }
}

/** Kernels that were downloaded. */
const cache = join(root, 'target/numa');

export default async function setup(project: TestProject): Promise<(() => void) | undefined> {
  const found = await find();
  if ('missing' in found) {
    process.stderr.write(`the tests of several NUMA nodes are skipped: they need ${found.missing}\n`);
    project.provide('guest', found);
    return undefined;
  }
  const folder = mkdtempSync(join(tmpdir(), 'seedstorm-numa-'));
  const image = join(folder, 'image');
  makeImage(image);
  project.provide('guest', { ...found, image });
  return () => rmSync(folder, { recursive: true });
}

/** The kernel, or what is missing for guests. */
async function find(): Promise<{ readonly kernel: string } | { readonly missing: string }> {
  const absent = await missing();
  if (absent !== undefined) return { missing: absent };
  try {
    return { kernel: kernel(cache) };
  } catch (error) {
    // Only root can see to it that it can be had.
    if (isRoot) throw error;
    return { missing: `a kernel: ${error instanceof Error ? error.message : error}` };
  }
}
