/** Where a coordinator keeps the records of its runs: the flag, and what it means. */
import { resolve } from 'node:path';
import { dataFolderOf, usualDataFolderName } from '@seedstorm/coordinator';
import { SeedstormError } from '@seedstorm/errors';
import { Option } from 'commander';

/** What names the folder where the flag does not; children inherit it. */
const variable = 'SEEDSTORM_DATA';

/** The flag; `run` and `check` hand it on to the coordinator that they start. */
export function dataOption(): Option {
  return new Option(
    '--data <folder>',
    `where the coordinator keeps the records of runs (default: ${variable}, else ${usualDataFolderName})`,
  );
}

/** The folder that the flag, the environment or the user's home gives. */
export function dataFolder(given: string | undefined): string {
  const named = given ?? process.env[variable];
  return dataFolderOf(named === undefined || named === '' ? undefined : resolve(named));
}

/**
 * A cluster's coordinator has its own folder.
 * @throws SeedstormError USAGE when there is one and a folder is named too.
 */
export function refuseData(given: string | undefined, coordinator: string | undefined): void {
  if (given === undefined || coordinator === undefined) return;
  throw new SeedstormError({
    code: 'SEEDSTORM_E_USAGE',
    what: '--data is for a coordinator on this machine, and --coordinator names another one',
    mend: 'give it to `seedstorm coordinator`',
  });
}
