/** Looks at a block device: whether it is the one that is meant, free and empty, and whether blocks suit it. */
import { SeedstormError } from '@seedstorm/errors';
import { lookAtDevice } from '@seedstorm/native';
import type { BlockTarget, CheckTarget, TargetChecked } from '@seedstorm/proto';
import { blockPlace, contentParameters } from '../task-spec.js';
import { type Findings, room } from './findings.js';

/** Adds what the device is, and what speaks against it, to `checked`. */
export async function checkDevice(
  target: BlockTarget,
  question: CheckTarget,
  checked: TargetChecked,
  findings: Findings,
): Promise<void> {
  if (question.content === undefined) {
    throw new SeedstormError({ code: 'SEEDSTORM_E_MESSAGE_INVALID', what: 'the check of a device names no content' });
  }
  const { device } = target;
  const blockBytes = Number(question.blockBytes);
  const looked = await lookAtDevice(blockPlace(target), {
    writes: question.bytes > 0n,
    dataBytes: Number(question.dataBytes),
    blockBytes,
    content: contentParameters(question.content),
    generation: question.generation,
  });
  checked.identity = looked.identity ?? '';
  checked.device = checked.identity;
  checked.deviceBytes = BigInt(looked.deviceBytes);
  checked.freeBytes = BigInt(looked.partBytes);
  for (const error of looked.against) findings.error(SeedstormError.fromJSON(error));
  const { logicalSectorBytes: logical, physicalSectorBytes: physical } = looked;
  findings.info({
    what: `${device} is ${looked.identity ?? 'a device without an identity'}: ${room(looked.deviceBytes)} in sectors of ${logical} bytes (physical: ${physical})`,
    mend:
      looked.identity === undefined
        ? 'nothing needs to be done; but if anything is on the device, no plan can confirm that it may be lost'
        : 'make sure that this is the device that is meant; to confirm that all on it may be lost, repeat this as target.identity',
  });
  if (question.bytes > 0n && blockBytes % physical !== 0 && blockBytes % logical === 0) {
    findings.warning({
      what: `blocks of ${room(blockBytes)} are no whole physical sectors of ${device}, ${physical} bytes: the device reads before it writes`,
      mend: `set target.io.block to a multiple of ${physical} bytes, unless just that is to be measured`,
    });
  }
}
