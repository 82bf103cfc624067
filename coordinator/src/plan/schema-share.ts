/** The key `shareTarget` of targets that runs lock. A part of schema.ts. */
import { key } from './key-docs.js';
import { choiceOrBoolean } from './leaf.js';

/** See the head. */
export const shareTarget = key(choiceOrBoolean([]).optional(), {
  meaning:
    'Whether another run may use the target at the same time; both plans must say so. Without it a run that finds another one in the target is refused.',
  default: 'false',
  example: 'shareTarget: true',
});
