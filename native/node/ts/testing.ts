/** What this package's specs share. Not part of its face. */
import type { ContentParameters } from './content.js';
import { Engine, type EngineOptions } from './engine.js';

/** A stream with every feature of the content function at work. */
export const content: ContentParameters = {
  seed: 42n,
  namespace: 'spec',
  unitBytes: 65_536,
  dedupMilli: 1500,
  windowBits: 4,
  compressMilli: 2000,
  codec: 'lz4',
  recordBytes: 4096,
};

/** Lanes on a machine with two NUMA nodes, whatever this one is. */
export const twoNodes: EngineOptions = { topology: { synthetic: 'numanode:2 core:2 pu:1' }, pin: false };

/** Runs `use` with an engine of two NUMA nodes, which is closed whatever happens. */
export async function withEngine<T>(use: (engine: Engine) => Promise<T>): Promise<T> {
  const engine = await Engine.start(twoNodes);
  try {
    return await use(engine);
  } finally {
    await engine.close();
  }
}

/** How a promise settled: its value, or the code of its error. */
export async function outcome<T>(promise: Promise<T>): Promise<T | string> {
  try {
    return await promise;
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : `no code: ${error}`;
  }
}
