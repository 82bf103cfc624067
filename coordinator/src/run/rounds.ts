/** The rounds of a run through its stages: each point of the sweep, each repetition. Pure. */
import { planAt, pointText, type ResolvedPlan, type ResolvedStage, stagesOfRound } from '../plan/index.js';

/** Where a stage stands among the rounds. */
export interface Place {
  /** The point of the sweep, from 1; 0 without a sweep. */
  readonly point: number;
  /** The repetition, from 1; 0 when the stages are done once. */
  readonly repetition: number;
}

/** One round through the stages. */
export interface Round extends Place {
  /** The plan with the point's values. */
  readonly plan: ResolvedPlan;
  readonly stages: readonly ResolvedStage[];
  /** How many agents take part; undefined: all. */
  readonly agents: number | undefined;
}

/** The only round there is, where there is neither a sweep nor a repetition. */
export const noPlace: Place = { point: 0, repetition: 0 };

/** The rounds, in their order: all repetitions of a point, then the next point. */
export function* roundsOf(plan: ResolvedPlan): Generator<Round> {
  const points = plan.points.length === 0 ? [undefined] : plan.points;
  let round = 0;
  for (const [at, point] of points.entries()) {
    for (let repetition = 1; repetition <= plan.repeat; repetition++) {
      const own = point === undefined ? plan : planAt(plan, point);
      yield {
        point: point === undefined ? 0 : at + 1,
        repetition: plan.repeat === 1 ? 0 : repetition,
        plan: own,
        stages: stagesOfRound(own, round),
        agents: point?.values.agents,
      };
      round += 1;
    }
  }
}

/** What a check must look at: the plan with each of its block sizes, and what is most in flight with that; the most of all first. */
export function plansToCheck(plan: ResolvedPlan): [ResolvedPlan, ...ResolvedPlan[]] {
  const inFlight = ({ lanesPerAgent = 1, queueDepth, blockBytes }: ResolvedPlan): number =>
    lanesPerAgent * queueDepth * blockBytes;
  const plans = plan.points.map((point) => planAt(plan, point)).sort((a, b) => inFlight(b) - inFlight(a));
  const [first = plan, ...others] = plans;
  const blocks = new Set([first.blockBytes]);
  return [first, ...others.filter(({ blockBytes }) => blocks.size < blocks.add(blockBytes).size)];
}

/** What a stage is called in events and progress: `write`, `write #2` in the second repetition, `write at point 3`. */
export function labelOf(name: string, { point, repetition }: Place): string {
  return `${name}${point === 0 ? '' : ` at point ${point}`}${repetition === 0 ? '' : ` #${repetition}`}`;
}

/** What a round is, for people; empty where there is one only. */
export function roundText({ points, repeat }: ResolvedPlan, { point, repetition }: Place): string {
  const values = points[point - 1]?.values ?? {};
  const parts = [
    ...(point === 0 ? [] : [`point ${point} of ${points.length}: ${pointText(values)}`]),
    ...(repetition === 0 ? [] : [`repetition ${repetition} of ${repeat}`]),
  ];
  return parts.join('; ');
}
