/** From the coordinator's PrepareStage to the engine's task. Pure. */
import { SeedstormError } from '@seedstorm/errors';
import type { TaskSpec } from '@seedstorm/native';
import { Operation, type PrepareStage } from '@seedstorm/proto';
import { runFolders } from './file-target.js';

const operations: Partial<Record<Operation, TaskSpec['operation']>> = {
  [Operation.GENERATE]: 'generate',
  [Operation.WRITE]: 'write',
  [Operation.READ]: 'read',
  [Operation.VERIFY]: 'verify',
  [Operation.DELETE]: 'delete',
};

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
      ? {
          folders: runFolders(sink.value),
          direct: sink.value.direct,
          sync: sink.value.sync,
          preallocate: sink.value.preallocate,
          local: sink.value.scope === 'local',
        }
      : {}),
  };
}
