/**
 * Holds the target for a run: agents write the lock, for they reach the storage, and renew it. On a shared target one of
 * them does, and another takes over when it goes; where each host has its own storage, every agent does.
 */
import { SeedstormError } from '@seedstorm/errors';
import { fromErrorDetail } from '@seedstorm/proto';
import type { Member, ToAgent } from '../membership/member.js';
import type { Members } from '../membership/members.js';
import type { ResolvedPlan } from '../plan/index.js';
import { type Answers, askAgents, newQuestion } from './ask-agents.js';
import type { RunLog } from './run-log.js';
import { targetMessage } from './stage-plan.js';

/** Longer than a lock of a dead run is watched before it is cleared away. */
const takeTimeoutMs = 40_000;
const releaseTimeoutMs = 5000;

/** The lock on a run's target. */
export class TargetLock {
  readonly #holders = new Set<Member>();
  #stopListening: () => void = () => {};
  #isHeld = false;

  constructor(
    private readonly members: Members,
    private readonly plan: ResolvedPlan,
    private readonly log: RunLog,
  ) {}

  /**
   * Takes the target.
   * @throws SeedstormError TARGET_LOCKED when another run uses it, and what else agents cannot do about it.
   */
  async take(isOver: () => boolean): Promise<void> {
    if (this.plan.target.kind !== 'file' && this.plan.target.kind !== 's3') return;
    this.#isHeld = true;
    this.#stopListening = this.members.listen({
      joined: (member) => {
        if (this.#isLocal) this.#takeLate(member);
      },
      returned: () => {},
      suspected: () => {},
      lost: (member) => this.#gone(member),
      leaving: (member) => {
        this.#gone(member);
        return false;
      },
      heartbeat: () => {},
      said: () => {},
    });
    while (!isOver()) {
      const working = this.members.working();
      const asked = this.#isLocal ? working : working.slice(0, 1);
      for (const member of asked) this.#holders.add(member);
      const { answers, silent } = await this.#ask(asked, true, takeTimeoutMs, isOver);
      for (const { member, value } of answers) {
        for (const note of value.notes) this.log.event('warning', 'note', `${member.name}: ${note}`);
        if (value.error !== undefined) throw ofAgent(member, fromErrorDetail(value.error));
      }
      const [mute] = silent;
      if (mute !== undefined) {
        const what = `the target did not answer within ${takeTimeoutMs / 1000} s`;
        throw ofAgent(mute, new SeedstormError({ code: 'SEEDSTORM_E_TARGET_NOT_WRITABLE', what }));
      }
      // An agent that went meanwhile has answered nothing: the next one is asked.
      if (answers.length > 0 || working.length === 0) return;
    }
  }

  /** Lets go of it. */
  async release(): Promise<void> {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#stopListening();
    const holders = [...this.#holders].filter((member) => member.working);
    await this.#ask(holders, false, releaseTimeoutMs, () => false);
  }

  get #isLocal(): boolean {
    return this.plan.target.kind === 'file' && this.plan.target.scope === 'local';
  }

  #gone(member: Member): void {
    if (!this.#holders.delete(member) || this.#isLocal || !this.#isHeld) return;
    const heir = this.members.working().find((each) => each !== member);
    if (heir !== undefined) this.#takeLate(heir);
  }

  /** In mid-run nothing is refused any more; but it is said. */
  #takeLate(member: Member): void {
    this.#holders.add(member);
    this.#ask([member], true, takeTimeoutMs, () => !this.#isHeld)
      .then(({ answers }) => {
        for (const { value } of answers) {
          const about = [...value.notes, ...(value.error === undefined ? [] : [value.error.what])];
          for (const text of about) this.log.event('warning', 'note', `${member.name}: ${text}`);
        }
      })
      // What cannot be asked cannot be answered; the run itself does not depend on it.
      .catch(() => {});
  }

  #ask(
    asked: readonly Member[],
    hold: boolean,
    timeoutMs: number,
    isOver: () => boolean,
  ): Promise<Answers<'targetLocked'>> {
    const id = newQuestion();
    const target = targetMessage(this.plan.target, this.plan.runId);
    const message = (): ToAgent => ({ $case: 'lockTarget', value: { id, target, hold } });
    return askAgents(this.members, asked, { id, answer: 'targetLocked', message, timeoutMs, isOver });
  }
}

function ofAgent(member: Member, error: SeedstormError): SeedstormError {
  return new SeedstormError({ code: error.code, what: `agent ${member.name}: ${error.what}`, mend: error.mend });
}
