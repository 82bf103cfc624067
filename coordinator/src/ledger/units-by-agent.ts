/** Units of each of several agents, of which the same ones may be several agents'. */
import { IntervalSet, type Range, unionUnits } from './intervals.js';

/** Units [first, end) that a lost agent had. */
export interface LostUnits {
  readonly agent: string;
  readonly first: number;
  readonly end: number;
}

/** See the head. */
export class UnitsByAgent {
  readonly #units = new Map<string, IntervalSet>();

  add({ agent, first, end }: LostUnits): void {
    const units = this.#units.get(agent) ?? new IntervalSet();
    units.add(first, end);
    this.#units.set(agent, units);
  }

  /** Those of one agent, apart and ascending. */
  of(agent: string): Range[] {
    return this.#units.get(agent)?.ranges ?? [];
  }

  /** Those of all agents. */
  get all(): LostUnits[] {
    return [...this.#units].flatMap(([agent, units]) => units.ranges.map(([first, end]) => ({ agent, first, end })));
  }

  /** How many units are at least one agent's. */
  get count(): number {
    return unionUnits([...this.#units.values()].flatMap((units) => units.ranges));
  }
}
