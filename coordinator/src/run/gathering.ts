/** What comes before the first stage: enough agents, and a target that they can use. Must not know what the stages do. */
import { SeedstormError } from '@seedstorm/errors';
import { nowMs } from '../clock.js';
import type { Members } from '../membership/members.js';
import type { ResolvedPlan } from '../plan/index.js';
import { checkTarget } from './check.js';
import { plansToCheck } from './rounds.js';
import type { RunLog } from './run-log.js';

const agentsPollMs = 50;

/** How many agents to wait for, and how long in ms; 0: as long as it takes. */
export interface Wanted {
  readonly agents: number;
  readonly agentsTimeoutMs: number;
}

/**
 * Waits for enough agents.
 * @throws SeedstormError NO_AGENTS when they do not come in time.
 */
export async function gather(
  members: Members,
  { agents, agentsTimeoutMs }: Wanted,
  cancelled: () => boolean,
  log: RunLog,
): Promise<void> {
  const deadline = agentsTimeoutMs === 0 ? undefined : nowMs() + agentsTimeoutMs;
  let told = -1;
  while (!cancelled() && members.working().length < agents) {
    const present = members.working().length;
    if (present !== told) log.event('info', 'waiting-for-agents', `${present} of ${agents} agents have joined`);
    told = present;
    if (deadline !== undefined && nowMs() > deadline) {
      throw new SeedstormError({
        code: 'SEEDSTORM_E_NO_AGENTS',
        what: `${present} of ${agents} agents joined within ${agentsTimeoutMs / 1000} s`,
      });
    }
    await new Promise((resolve) => setTimeout(resolve, agentsPollMs));
  }
}

/**
 * Refuses to begin what would fail for want of space or rights, with any block size of a sweep. Gives what the agents say that
 * the block device is known by; empty where there is none.
 * @throws SeedstormError of the first finding that is an error.
 */
export async function preflight(
  members: Members,
  plan: ResolvedPlan,
  runId: string,
  cancelled: () => boolean,
): Promise<string> {
  let identity = '';
  for (const heaviest of plansToCheck(plan)) {
    const checks = await checkTarget(members, heaviest, runId, cancelled);
    for (const { name, checked } of checks) {
      if (checked.identity !== '') identity = checked.identity;
      for (const { level, detail } of checked.findings) {
        if (level === 'CHECK_LEVEL_ERROR' && detail !== undefined) {
          throw SeedstormError.fromJSON({ ...detail, what: `agent ${name}: ${detail.what}` });
        }
      }
    }
  }
  return identity;
}
