/** The keys of `errors`. A part of schema.ts, which says how plans are looked at. */
import { z } from 'zod';
import { maxErrors } from './choices.js';
import { type KeyDoc, key } from './key-docs.js';
import { integer } from './leaf.js';

function errorCount() {
  return integer({ minimum: 0, maximum: maxErrors });
}

function errorDoc(attempt: string, kind: string): KeyDoc {
  return {
    meaning: `Failed attempts ${attempt} that each stage lets pass.`,
    default: 'upTo, or none where other kinds are named',
    example: `${kind}: 10`,
  };
}

/** A word for `upTo: 0`, and the limits by kind. */
export const errorLimits = z
  .strictObject({
    upTo: key(errorCount().optional(), {
      meaning: 'I/O errors of all kinds together that each stage lets pass.',
      default: 'the sum of the kinds',
      example: 'upTo: 100',
    }),
    open: key(errorCount().optional(), errorDoc('to open or make a file or a folder', 'open')),
    read: key(errorCount().optional(), errorDoc('to read', 'read')),
    write: key(errorCount().optional(), errorDoc('to write', 'write')),
    sync: key(errorCount().optional(), errorDoc('to make durable; one loses all since the last good sync', 'sync')),
    delete: key(errorCount().optional(), errorDoc('to remove', 'delete')),
    full: key(errorCount().optional(), errorDoc('to write for want of space', 'full')),
    missing: key(
      errorCount().optional(),
      errorDoc('to read a file that is not there or too short, or to rename one that is not there', 'missing'),
    ),
    mkdir: key(errorCount().optional(), errorDoc('to make a directory of a tree', 'mkdir')),
    stat: key(errorCount().optional(), errorDoc('to ask for the size of a file by its name', 'stat')),
    list: key(errorCount().optional(), errorDoc('to read a folder', 'list')),
    rename: key(errorCount().optional(), errorDoc('to rename a file of a tree', 'rename')),
  })
  .meta({ minProperties: 1 });
