/** The keys of `target.tree`. A part of schema.ts, which says how plans are looked at. */
import { z } from 'zod';
import { defaults, maxObjects } from './choices.js';
import { key } from './key-docs.js';
import { choiceOrBoolean, integer, size } from './leaf.js';

const GiB = 1024 ** 3;

/** A tree of directories with many small files. */
export const tree = z.strictObject({
  directories: key(integer({ minimum: 1, maximum: maxObjects }), {
    meaning: 'How many directories there are.',
    example: 'directories: 1000',
  }),
  filesPerDirectory: key(integer({ minimum: 1, maximum: maxObjects }), {
    meaning: 'How many files lie in each directory.',
    example: 'filesPerDirectory: 1000',
  }),
  fileSize: key(size({ minimum: 0, maximum: GiB }).optional(), {
    meaning: 'The size of each file: 0, or any number of bytes; its content is verified to the last byte.',
    default: '0: the files are empty',
    example: 'fileSize: 3901',
  }),
  branching: key(integer({ minimum: 1, maximum: maxObjects }).optional(), {
    meaning:
      'How many directories lie in each directory, and at the top, until there are enough of them: the depth follows from it.',
    default: 'all directories lie side by side',
    example: 'branching: 10',
  }),
  shared: key(choiceOrBoolean([]).optional(), {
    meaning:
      'Whether several agents work in one directory at the same time; otherwise each directory is in the hands of one agent at a time.',
    default: `${defaults.treeShared}; true where there is one directory`,
    example: 'shared: true',
  }),
});

/** A tree as it was typed. */
export type PlanTree = z.output<typeof tree>;
