/** `seedstorm content`: bytes of the content function to stdout. */
import { once } from 'node:events';
import {
  codecs,
  parseInteger,
  parsePowerOfTwo,
  parseRatio,
  parseSeed,
  parseSize,
  recordSizes,
} from '@seedstorm/coordinator/units';
import { type ContentParameters, contentBytes, defaultWindowBits } from '@seedstorm/native';
import { type Command, Option } from 'commander';
import { argument } from '../arguments.js';

/** What the content flags of several commands give. */
export interface ContentFlags {
  readonly seed: bigint;
  readonly namespace: string;
  readonly unit: bigint;
  readonly dedup: number;
  readonly windowUnits?: number;
  readonly compress: number;
  readonly codec: string;
  readonly record: bigint;
}

interface Options extends ContentFlags {
  readonly offset: bigint;
  readonly length: bigint;
  readonly generation: bigint;
}

/** Bytes made at a time. */
const pieceBytes = 1n << 20n;
/** The longest dedup window, as a power of two. */
const maxWindowBits = 32;

/** Adds the flags that describe content. */
export function addContentFlags(command: Command): Command {
  return command
    .addOption(new Option('--seed <n>', 'the seed').argParser(argument(parseSeed)).default(0n, '0'))
    .option('--namespace <text>', "separates streams that share a seed; a run's is its run id", '')
    .addOption(new Option('--unit <size>', 'bytes in a unit').argParser(argument(parseSize)).default(1n << 20n, '1MiB'))
    .addOption(
      new Option('--dedup <ratio>', 'dedup ratio, at most three decimals')
        .argParser(argument(parseRatio))
        .default(1000, '1'),
    )
    .option(
      '--window-units <n>',
      'dedup window in units, a power of two (default: 4096)',
      argument((text) => parsePowerOfTwo(text, maxWindowBits)),
    )
    .addOption(
      new Option('--compress <ratio>', 'compression ratio, at most three decimals')
        .argParser(argument(parseRatio))
        .default(1000, '1'),
    )
    .addOption(new Option('--codec <name>', 'what the compression ratio is aimed at').choices(codecs).default('any'))
    .addOption(
      new Option('--record <size>', `bytes that the codec compresses at a time: ${recordSizes.join(', ')}`)
        .argParser(argument(parseSize))
        .default(131_072n, '131072'),
    );
}

/** The parameters that the flags describe, for a stream of unknown length. */
export function contentParameters(flags: ContentFlags): ContentParameters {
  // Where the number of units is not known the window is the usual one: as for very many units.
  const windowBits = flags.windowUnits ?? defaultWindowBits(2 ** 40, flags.dedup);
  return {
    seed: flags.seed,
    namespace: flags.namespace,
    unitBytes: Number(flags.unit),
    dedupMilli: flags.dedup,
    windowBits,
    compressMilli: flags.compress,
    codec: flags.codec,
    recordBytes: Number(flags.record),
  };
}

/** Adds the command. */
export function addContentCommand(program: Command): void {
  const command = program
    .command('content')
    .summary('bytes of the content function to stdout')
    .description(
      'Writes bytes of the content function to stdout: those that a run of this seed and namespace has at this place.',
    );
  addContentFlags(command)
    .requiredOption('--length <size>', 'how many bytes', argument(parseSize))
    .addOption(
      new Option('--offset <size>', 'where in the stream they begin').argParser(argument(parseSize)).default(0n, '0'),
    )
    .addOption(
      new Option('--generation <n>', 'how often the place was rewritten')
        .argParser(argument(parseInteger))
        .default(0n, '0'),
    )
    .addHelpText('after', '\nExample:\n  $ seedstorm content --seed 42 --offset 0 --length 64 | xxd')
    .action(write);
}

async function write(options: Options): Promise<void> {
  const parameters = contentParameters(options);
  const end = options.offset + options.length;
  for (let at = options.offset; at < end; at += pieceBytes) {
    const length = Number(end - at < pieceBytes ? end - at : pieceBytes);
    const generation = Number(options.generation);
    if (!process.stdout.write(contentBytes(parameters, generation, at, length))) await once(process.stdout, 'drain');
  }
}
