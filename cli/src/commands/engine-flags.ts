/** The flags that describe an engine: where its lanes and their memory go. `agent` and `bench` have them all. */
import { parseSize } from '@seedstorm/coordinator/units';
import type { EngineOptions, MemoryOptions } from '@seedstorm/native';
import { type Command, Option } from 'commander';
import { argument } from '../arguments.js';
import { addPlacementFlags, type PlacementFlags, placementOptions } from './placement-flags.js';

/** What the flags give. */
export interface EngineFlags extends PlacementFlags {
  readonly memory: NonNullable<MemoryOptions['binding']>;
  readonly hugePages: NonNullable<MemoryOptions['hugePages']>;
  readonly bufferBytes: bigint;
}

/** Adds the flags that describe an engine. */
export function addEngineFlags(command: Command): Command {
  return addPlacementFlags(command)
    .addOption(
      new Option('--memory <how>', 'whether memory on another NUMA node than the lane’s is an error')
        .choices(['preferred', 'strict'])
        .default('preferred'),
    )
    .addOption(
      new Option('--huge-pages <which>', 'pages of buffers: those set aside, those the kernel makes, none')
        .choices(['auto', 'explicit', 'transparent', 'none'])
        .default('auto'),
    )
    .addOption(
      new Option('--buffer-bytes <size>', 'memory of each lane at the start')
        .argParser(argument(parseSize))
        .default(parseSize('1MiB'), '1MiB'),
    );
}

/** The engine that the flags describe. */
export function engineOptions({ memory, hugePages, bufferBytes, ...placement }: EngineFlags): EngineOptions {
  return {
    placement: placementOptions(placement),
    memory: { binding: memory, hugePages },
    bufferBytes: Number(bufferBytes),
  };
}
