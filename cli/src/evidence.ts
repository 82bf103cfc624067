/** Where agents keep the bytes of faults: the flag, and what it means. */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { Option } from 'commander';

/** The flag; `run` hands it on to the agents that it starts. */
export function evidenceOption(): Option {
  return new Option(
    '--evidence <folder>',
    'where the bytes of faults are kept, in a folder for each run; none: nowhere (default: ~/.seedstorm/evidence)',
  );
}

/** The agent's option that the flag gives. */
export function evidenceOf(given: string | undefined): { evidence?: { folder: string; chosen: boolean } } {
  if (given === 'none') return {};
  const folder = given === undefined ? join(homedir(), '.seedstorm', 'evidence') : resolve(given);
  return { evidence: { folder, chosen: given !== undefined } };
}
