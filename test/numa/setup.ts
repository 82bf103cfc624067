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

export default async function setup(project: TestProject): Promise<(() => void) | undefined> {
  const absent = (await missing()) ?? missingKernel();
  if (absent !== undefined) {
    project.provide('guest', { missing: absent });
    return undefined;
  }
  const folder = mkdtempSync(join(tmpdir(), 'seedstorm-numa-'));
  const image = join(folder, 'image');
  makeImage(image);
  project.provide('guest', { kernel: kernel(cache), image });
  return () => rmSync(folder, { recursive: true });
}

const cache = join(root, 'target/numa');

/** Only root can see to it that the kernel can be had. */
function missingKernel(): string | undefined {
  try {
    kernel(cache);
    return undefined;
  } catch (error) {
    if (isRoot) throw error;
    return `a kernel: ${error instanceof Error ? error.message : error}`;
  }
}
