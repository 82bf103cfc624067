/** The stages of each round through a plan: data that stays from one round to the next is written in the next generation. Pure. */
import type { ResolvedPlan, ResolvedStage } from './resolved.js';

/** The stages of round `round`, from 0. */
export function stagesOfRound(plan: Pick<ResolvedPlan, 'stages' | 'target'>, round: number): ResolvedStage[] {
  const keeps = plan.target.kind === 'block';
  const lastDelete = keeps ? -1 : plan.stages.findLastIndex(({ kind }) => kind === 'delete');
  const firstDelete = keeps ? -1 : plan.stages.findIndex(({ kind }) => kind === 'delete');
  const writes = plan.stages.filter(({ kind }, index) => kind === 'write' && index > lastDelete).length;
  // What the rounds before left there; a delete among the stages leaves what was written behind it.
  const before = lastDelete < 0 ? writes * round : Math.min(round, 1) * writes;
  return plan.stages.map((stage, index) => {
    if (stage.kind === 'network' || (firstDelete >= 0 && index > firstDelete)) return stage;
    return { ...stage, generation: stage.generation + before };
  });
}
