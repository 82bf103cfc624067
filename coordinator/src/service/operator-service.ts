/** What operators call: from messages to runs, and back. */
import type { ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import { SeedstormError } from '@seedstorm/errors';
import { type OperatorServiceServer, toStatus } from '@seedstorm/proto';
import { nowMs } from '../clock.js';
import type { Members } from '../membership/members.js';
import { describePlan, resolvedPlanToJson } from '../plan/index.js';
import { repeatedData } from '../record/repeated-data.js';
import { checkTarget } from '../run/check.js';
import { clusterFindings } from '../run/cluster-check.js';
import { inFlight } from '../run/in-flight.js';
import { revisitFindings } from '../run/revisit.js';
import { plansToCheck } from '../run/rounds.js';
import { newRunId, type Runs, resolve } from '../runs.js';

const agentsPollMs = 50;

/** The service that operators call. */
export function operatorService(members: Members, runs: Runs): OperatorServiceServer {
  return {
    submitRun: unary(async ({ plan, agents, agentsTimeoutMs, keep }) => {
      const run = await runs.submit(plan, { agents, agentsTimeoutMs, keep });
      return { runId: run.id, resolvedPlan: JSON.stringify(resolvedPlanToJson(run.plan)) };
    }),
    watchRun: (call) => {
      try {
        let slow = false;
        call.on('drain', () => {
          slow = false;
        });
        const stop = runs.find(call.request.runId).log.watch((message) => {
          // Whoever reads slowly misses some progress, never an event or the result.
          if (slow && message.$case === 'progress') return;
          slow = !call.write({ message });
          if (message.$case === 'result') call.end();
        });
        call.on('cancelled', stop);
      } catch (error) {
        call.emit('error', toStatus(error));
      }
    },
    listRuns: unary(() => ({ runs: runs.list() })),
    cancelRun: unary(({ runId }) => {
      runs.find(runId).cancel();
      return {};
    }),
    checkPlan: unary(async ({ plan: message, agents, agentsTimeoutMs }) => {
      const { plan, earlier } = await resolve(message, newRunId(), runs.records);
      await present(members, Math.max(1, agents), agentsTimeoutMs);
      // Of a sweep, the point with the most in flight.
      const [heaviest] = plansToCheck(plan);
      const checks = await checkTarget(members, heaviest, plan.runId, () => false);
      const lanes = checks.reduce((sum, { checked }) => sum + checked.lanes, 0);
      return {
        description: describePlan(plan),
        agents: checks,
        inFlight: inFlight(lanes, heaviest.queueDepth, heaviest.blockBytes),
        findings: [
          ...clusterFindings(plan, checks),
          ...(earlier === undefined ? await repeatedData(plan, runs.records) : revisitFindings(earlier, checks)),
        ],
        resolvedPlan: JSON.stringify(resolvedPlanToJson(plan)),
      };
    }),
    listAgents: unary(() => ({ agents: members.all().map(({ name, host, state }) => ({ name, host, state })) })),
    declareAgentGone: unary(({ name, pid }) => {
      members.declareGone(name, pid);
      return {};
    }),
  };
}

/** Waits until enough agents are there. */
async function present(members: Members, agents: number, timeoutMs: number): Promise<void> {
  const deadline = timeoutMs === 0 ? undefined : nowMs() + timeoutMs;
  while (members.working().length < agents) {
    if (deadline !== undefined && nowMs() > deadline) {
      throw new SeedstormError({
        code: 'SEEDSTORM_E_NO_AGENTS',
        what: `${members.working().length} of ${agents} agents joined within ${timeoutMs / 1000} s`,
      });
    }
    await new Promise((resolve) => setTimeout(resolve, agentsPollMs));
  }
}

/** A method whose answer is what `answer` gives, and whose error is what it throws. */
function unary<Request, Response>(answer: (request: Request) => Response | Promise<Response>) {
  return async (call: ServerUnaryCall<Request, Response>, reply: sendUnaryData<Response>): Promise<void> => {
    try {
      reply(null, await answer(call.request));
    } catch (error) {
      reply(toStatus(error));
    }
  };
}
