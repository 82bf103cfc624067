/** From the coordinator's PrepareStage to the engine's task. Pure. */
import { SeedstormError } from '@seedstorm/errors';
import type { BlockPlace, ContentParameters, TaskSpec } from '@seedstorm/native';
import {
  type BlockTarget,
  type Content,
  Operation,
  type PrepareStage,
  type Rate,
  type TreeLayout,
  type TreeNames,
} from '@seedstorm/proto';
import { runFolders } from './file-target.js';
import { overwritesOf } from './overwrites.js';
import { s3Target } from './s3-target.js';

type Tree = NonNullable<TaskSpec['tree']>;

const operations: Partial<Record<Operation, TaskSpec['operation']>> = {
  [Operation.GENERATE]: 'generate',
  [Operation.WRITE]: 'write',
  [Operation.READ]: 'read',
  [Operation.VERIFY]: 'verify',
  [Operation.MIXED]: 'mixed',
  [Operation.DELETE]: 'delete',
  [Operation.STAT]: 'stat',
  [Operation.LIST]: 'list',
  [Operation.MKDIR]: 'mkdir',
  [Operation.CREATE]: 'create',
  [Operation.RENAME]: 'rename',
};

const ioEngines = ['auto', 'io_uring', 'aio', 'threads'] as const;

/**
 * The task of a stage, on an agent with so many lanes.
 * @throws SeedstormError MESSAGE_INVALID when the message asks for what this version does not know.
 */
export function taskSpec(message: PrepareStage, lanes: number): TaskSpec {
  const { content, target } = message;
  const operation = operations[message.operation];
  const sink = target?.kind;
  if (operation === undefined || content === undefined || sink === undefined) {
    throw new SeedstormError({
      code: 'SEEDSTORM_E_MESSAGE_INVALID',
      what: 'the coordinator asks for a stage that this agent does not know',
    });
  }
  return {
    operation,
    content: contentParameters(content),
    generation: message.generation,
    ...(message.overwrites === undefined ? {} : { overwrites: overwritesOf(message.overwrites) }),
    units: Number(message.units),
    unitsPerObject: Number(message.unitsPerObject),
    ...(message.tree === undefined ? {} : { tree: treeOf(message.tree) }),
    ...(message.objectSizes.length === 0 ? {} : { objectSizes: message.objectSizes }),
    blockBytes: Number(message.blockBytes),
    queueDepth: message.queueDepth,
    ioEngine: ioEngineOf(message.ioEngine),
    ...lanesOf(message, lanes),
    sparedObjects: message.sparedObjects.map(Number),
    sink: sink.$case,
    ...(message.errors === undefined
      ? {}
      : {
          errors: {
            ofKind: Object.fromEntries(message.errors.ofKind.map(({ kind, most }) => [kind, Number(most)])),
            inAll: Number(message.errors.inAll),
          },
        }),
    ...(message.rate === undefined ? {} : { rate: rateOf(message.rate) }),
    ...(sink.$case === 'file'
      ? {
          folders: runFolders(sink.value),
          direct: sink.value.direct,
          sync: sink.value.sync,
          preallocate: sink.value.preallocate,
          local: sink.value.scope === 'local',
        }
      : {}),
    ...(sink.$case === 's3' ? { s3: s3Target(sink.value) } : {}),
    ...(sink.$case === 'block' ? { place: blockPlace(sink.value), sync: sink.value.sync } : {}),
  };
}

/** The engine's tree of files. */
function treeOf({ directories, filesPerDirectory, fileBytes, branching, names, next }: TreeLayout): Tree {
  const named = ({ renames, shift }: TreeNames) => ({ renames, shift: Number(shift) });
  return {
    directories: Number(directories),
    filesPerDirectory: Number(filesPerDirectory),
    fileBytes: Number(fileBytes),
    branching: Number(branching),
    names: named(names ?? { renames: 0, shift: 0n }),
    ...(next === undefined ? {} : { next: named(next) }),
  };
}

/** The engine's parameters of a content. */
export function contentParameters(content: Content): ContentParameters {
  return {
    seed: content.seed,
    namespace: content.namespace,
    unitBytes: Number(content.unitBytes),
    dedupMilli: Number(content.dedupMilli),
    windowBits: content.windowBits,
    compressMilli: Number(content.compressMilli),
    codec: content.codec,
    recordBytes: content.recordBytes,
  };
}

/**
 * The engine's name of a device.
 * @throws SeedstormError MESSAGE_INVALID when its path is not absolute.
 */
export function blockPlace({ device, identity, offsetBytes, sizeBytes }: BlockTarget): BlockPlace {
  if (!device.startsWith('/')) {
    throw new SeedstormError({ code: 'SEEDSTORM_E_MESSAGE_INVALID', what: `${device} is no path of a device` });
  }
  return {
    device,
    offset: Number(offsetBytes),
    ...(sizeBytes === 0n ? {} : { bytes: Number(sizeBytes) }),
    ...(identity === '' ? {} : { identity }),
  };
}

/**
 * The engine's rate.
 * @throws SeedstormError MESSAGE_INVALID when the message asks for what this version does not know.
 */
function rateOf({ of, arrivals, seed }: Rate): NonNullable<TaskSpec['rate']> {
  if ((of !== 'operations' && of !== 'bytes') || (arrivals !== 'constant' && arrivals !== 'poisson')) {
    throw new SeedstormError({
      code: 'SEEDSTORM_E_MESSAGE_INVALID',
      what: 'the coordinator asks for a rate that this agent does not know',
    });
  }
  return { of, arrivals, seed };
}

/** How many lanes take part, where not all do. */
function lanesOf({ lanes: asked, modestLanes }: PrepareStage, lanes: number): { lanes?: number } {
  if (asked > 0) return { lanes: asked };
  return modestLanes > 0 && modestLanes < lanes ? { lanes: modestLanes } : {};
}

function ioEngineOf(name: string): NonNullable<TaskSpec['ioEngine']> {
  const known = ioEngines.find((engine) => engine === name);
  if (known === undefined) {
    throw new SeedstormError({
      code: 'SEEDSTORM_E_MESSAGE_INVALID',
      what: `the coordinator asks for I/O by ${JSON.stringify(name)}, which this agent does not know`,
    });
  }
  return known;
}
