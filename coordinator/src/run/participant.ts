/** One incarnation of an agent in one stage: where it is between prepare and end, and what it did. */
import type { FileWork, GeneratorSpeed } from '@seedstorm/proto';
import type { Member } from '../membership/member.js';
import { AgentTotals } from './agent-totals.js';

/**
 * preparing: was told what to do; ready: has threads, memory and folders; running: has its start time; ending: was told
 * that no more comes; ended: has closed everything; gone: lost, or left.
 */
export type ParticipantState = 'preparing' | 'ready' | 'running' | 'ending' | 'ended' | 'gone';

/** One incarnation of an agent in one stage. */
export class Participant {
  state: ParticipantState = 'preparing';
  readonly totals = new AgentTotals();
  /** When it began and last came to an end of something, on the coordinator's clock; absent as long as it did not. */
  startedNs: bigint | undefined;
  lastDoneNs: bigint | undefined;
  /** When the last operation under a rate came back, on the coordinator's clock; absent as long as none did. */
  lastPacedNs: bigint | undefined;
  /** When the first of its lanes was done with all that it did, on the coordinator's clock; absent as long as none is. */
  firstDoneNs: bigint | undefined;
  /** Memory that its host has for it. */
  memoryBytes = 0n;
  /** How fast its lanes deal with the data without storage, where that was measured. */
  generator: GeneratorSpeed | undefined;
  /** Lanes that take part, as it said when it was ready. */
  lanes = 0;
  /** Whether it had work when the common start came. */
  startsTogether = false;
  /** Whether it was asked to make its writes durable since it was last given a lease. */
  syncAsked = false;
  /** Faults that it named; it counts more than it names. */
  namedFindings = 0;
  closeNs = 0n;
  /** What it said of the run's own folder at the end of a delete. */
  folderRemoved = true;
  /** What it did to files beside the I/O. */
  fileWork: FileWork | undefined;

  constructor(readonly member: Member) {}

  get name(): string {
    return this.member.name;
  }

  /**
   * Takes over what its clock said in the report just taken. Converted now, with the offset that holds now: over hours
   * clocks drift apart.
   */
  tellTime(): void {
    const { clock } = this.member;
    const { startedNs, firstDoneNs, lastDoneNs, lastPacedNs } = this.totals;
    if (startedNs > 0n) this.startedNs ??= clock.toCoordinator(startedNs);
    if (firstDoneNs > 0n) this.firstDoneNs = clock.toCoordinator(firstDoneNs);
    if (lastPacedNs > 0n) this.lastPacedNs = clock.toCoordinator(lastPacedNs);
    if (lastDoneNs > 0n) this.lastDoneNs = clock.toCoordinator(lastDoneNs);
  }
}

/** The key of a member's incarnation. */
export function participantKey(member: Member): string {
  return `${member.name} ${member.incarnation}`;
}
