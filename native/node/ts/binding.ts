/** Loads the native addon. Its types are the committed binding.d.ts, made by the build. */
import { createRequire } from 'node:module';
import { SeedstormError } from '@seedstorm/errors';
import type * as Binding from '../binding.js';

function load(): typeof Binding {
  try {
    return createRequire(import.meta.url)('../seedstorm.node');
  } catch (cause) {
    throw new SeedstormError({
      code: 'SEEDSTORM_E_INTERNAL',
      what: `the native engine cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`,
      mend: 'build it with `npm run setup` in the folder of the clone',
      cause,
    });
  }
}

/** The addon. */
export const binding: typeof Binding = load();
