/** From the coordinator's PrepareStage to the engine's task. Pure. */
import { join } from 'node:path';
import { SeedstormError } from '@seedstorm/errors';
import type { TaskSpec } from '@seedstorm/native';
import { Operation, type PrepareStage } from '@seedstorm/proto';

const operations: Partial<Record<Operation, TaskSpec['operation']>> = {
  [Operation.GENERATE]: 'generate',
  [Operation.WRITE]: 'write',
  [Operation.READ]: 'read',
  [Operation.VERIFY]: 'verify',
  [Operation.DELETE]: 'delete',
};

/** A run's own folder is one name, so that nothing in a message can lead out of the target. */
export const folderPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/u;

/**
 * The task of a stage.
 * @throws SeedstormError MESSAGE_INVALID when the message asks for what this version does not know.
 */
export function taskSpec(message: PrepareStage): TaskSpec {
  const { content, target } = message;
  const operation = operations[message.operation];
  const sink = target?.kind;
  if (operation === undefined || content === undefined || sink === undefined) {
    throw new SeedstormError({
      code: 'SEEDSTORM_E_MESSAGE_INVALID',
      what: 'the coordinator asks for a stage that this agent does not know',
    });
  }
  if (sink.$case === 's3') {
    throw new SeedstormError({
      code: 'SEEDSTORM_E_MESSAGE_INVALID',
      what: 'the lanes of this version do not work on S3',
      mend: 'use a file or memory target',
    });
  }
  return {
    operation,
    content: {
      seed: content.seed,
      namespace: content.namespace,
      unitBytes: Number(content.unitBytes),
      dedupMilli: Number(content.dedupMilli),
      windowBits: content.windowBits,
      compressMilli: Number(content.compressMilli),
      codec: content.codec,
      recordBytes: content.recordBytes,
    },
    generation: message.generation,
    units: Number(message.units),
    unitsPerObject: Number(message.unitsPerObject),
    blockBytes: Number(message.blockBytes),
    ...(message.lanes === 0 ? {} : { lanes: message.lanes }),
    sparedObjects: message.sparedObjects.map(Number),
    sink: sink.$case,
    ...(sink.$case === 'file'
      ? { folder: runFolder(sink.value.path, sink.value.runFolder), direct: sink.value.direct, sync: sink.value.sync }
      : {}),
  };
}

/** The run's own folder. */
function runFolder(path: string, name: string): string {
  if (!path.startsWith('/') || !folderPattern.test(name)) {
    throw new SeedstormError({
      code: 'SEEDSTORM_E_MESSAGE_INVALID',
      what: `${join(path, name)} is no folder for a run`,
    });
  }
  return join(path, name);
}
