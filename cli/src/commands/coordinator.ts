/** `seedstorm coordinator`: the service that agents and operators dial. */
import { Coordinator } from '@seedstorm/coordinator';
import { SeedstormError } from '@seedstorm/errors';
import { isLoopback } from '@seedstorm/proto';
import type { Command } from 'commander';
import { parseAddress, usualAddress } from '../address.js';
import { argument } from '../arguments.js';
import { dataFolder, dataOption } from '../data-folder.js';
import { logLine, onOrphaned, onSignal, tellParent } from '../service-process.js';
import { readToken, usualTokenFileName } from '../token.js';
import { version } from '../version.js';

interface Options {
  readonly listen: string;
  readonly tokenFile?: string;
  readonly data?: string;
  readonly insecure?: boolean;
}

/** Adds the command. */
export function addCoordinatorCommand(program: Command): void {
  program
    .command('coordinator')
    .summary('the service that agents and operators dial')
    .description(
      'Starts a coordinator. It runs until SIGINT or SIGTERM, which stop the current run gracefully and send the agents away.',
    )
    .option('--listen <host:port>', 'where to listen; port 0 chooses a free one', argument(parseAddress), usualAddress)
    .option(
      '--token-file <file>',
      `what agents and operators must show; made when it is not there (default: ${usualTokenFileName})`,
    )
    .addOption(dataOption())
    .option('--insecure', 'listen beyond loopback although nothing is encrypted')
    .addHelpText('after', '\nExample:\n  $ seedstorm coordinator --listen 127.0.0.1:7070')
    .action(serve);
}

async function serve({ listen, tokenFile, data, insecure = false }: Options): Promise<void> {
  const loopback = isLoopback(listen);
  if (!loopback && !insecure) {
    throw new SeedstormError({
      code: 'SEEDSTORM_E_USAGE',
      what: `${listen} is not loopback, and what crosses the network is not encrypted in this version`,
      mend: 'listen on 127.0.0.1, or add --insecure on a network that only trusted people reach',
    });
  }
  if (!loopback)
    logLine(`warning: listening on ${listen} without encryption: the token and the plan can be read on the way`);
  const token = readToken(tokenFile, { create: true });
  const coordinator = await Coordinator.start({
    listen,
    token,
    version,
    dataFolder: dataFolder(data),
    log: logLine,
  });
  logLine(`listening on ${coordinator.address}`);
  await new Promise<void>((resolve) => {
    onSignal((signal) => {
      logLine(`${signal}: stopping`);
      resolve();
    });
    onOrphaned(resolve);
    tellParent({ ready: 'coordinator', address: coordinator.address });
  });
  await coordinator.close();
}
