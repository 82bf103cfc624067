/** The beginning of a run about an earlier run's data: it is there as its record says, on the device that it was written to. */
import { SeedstormError } from '@seedstorm/errors';
import { type CheckFinding, CheckLevel, toErrorDetail } from '@seedstorm/proto';
import type { Member } from '../membership/member.js';
import { EarlierWrite, leftOutText } from '../record/earlier-data.js';
import type { RunRecord } from '../record/run-record.js';
import type { Checked } from './cluster-check.js';
import type { Standing } from './standing.js';

/** What there is to say of the data at hand. */
export interface Revisited {
  readonly notes: readonly string[];
  /** Hosts of node-local data that no agent is on. */
  readonly absentHosts: readonly string[];
}

/**
 * Puts the earlier run's data into what stands on the target. `identity` is what agents say that the block device is known by.
 * @throws SeedstormError DEVICE_IDENTITY when it is another device than the one that was written to.
 */
export function revisit(record: RunRecord, agents: readonly Member[], identity: string, standing: Standing): Revisited {
  const write = new EarlierWrite(
    record,
    agents.map(({ name, host }) => ({ name, host })),
  );
  const leftOut = leftOutText(record);
  const device = deviceNote(record, identity);
  standing.found(write, record.head.generation);
  const notes = [...(leftOut === undefined ? [] : [leftOut]), ...(device === undefined ? [] : [device])];
  return { notes, absentHosts: write.absentHosts };
}

/** What `check` says of an earlier run's data, as the agents see the target. */
export function revisitFindings(record: RunRecord, checks: readonly Checked[]): CheckFinding[] {
  const found = (level: CheckLevel, what: string, mend: string): CheckFinding => ({
    level,
    detail: { code: '', what, mend },
  });
  const { absentHosts } = new EarlierWrite(record, checks);
  const leftOut = leftOutText(record);
  const findings =
    leftOut === undefined ? [] : [found(CheckLevel.WARNING, leftOut, 'to verify all of it, write it again')];
  if (absentHosts.length > 0) {
    const what = `no agent is on ${absentHosts.join(', ')}: what was written there cannot be reached`;
    findings.push(found(CheckLevel.WARNING, what, 'start an agent on each of these hosts'));
  }
  try {
    const identity = checks.find(({ checked }) => checked.identity !== '')?.checked.identity ?? '';
    const note = deviceNote(record, identity);
    if (note !== undefined)
      findings.push(found(CheckLevel.INFO, note, 'make sure that it is the device that was written to'));
  } catch (error) {
    findings.push({ level: CheckLevel.ERROR, detail: toErrorDetail(error) });
  }
  return findings;
}

/** What an identity has in it that does not outlast a boot of its host, or the attachment of a device. */
const passing = /(?:-?disk\d+)?@[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/u;

function deviceNote({ head }: RunRecord, identity: string): string | undefined {
  const { target, deviceIdentity = '' } = head;
  if (target.kind !== 'block' || (identity === deviceIdentity && identity !== '')) return undefined;
  const seen = identity === '' ? 'a device without an identity' : identity;
  const known = deviceIdentity === '' ? 'a device without an identity' : deviceIdentity;
  if (identity.replace(passing, '') !== deviceIdentity.replace(passing, '')) {
    throw new SeedstormError({
      code: 'SEEDSTORM_E_DEVICE_IDENTITY',
      what: `${target.device} is ${seen}, and run ${head.runId} wrote to ${known}`,
      mend: 'attach the device that was written to under that path',
    });
  }
  return `that ${target.device} is the device that was written to is shown by its data alone: its identity (${seen}) does not outlast a boot, or its being detached`;
}
