/** Which share of its host's cores each agent gets. Pure. */

/** What tells which agents share cores: the running kernel, and the PUs they may use on it. */
export interface HasCores {
  readonly name: string;
  readonly machine: string;
  readonly cpuset: string;
}

/** Share `index` of `of`. */
export interface HostShare {
  readonly index: number;
  readonly of: number;
}

/** The share of each agent, by name. Agents of one machine and one cpuset share its cores, in the order of their names. */
export function hostShares(agents: readonly HasCores[]): ReadonlyMap<string, HostShare> {
  const together = new Map<string, HasCores[]>();
  for (const agent of [...agents].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const key = `${agent.machine} ${agent.cpuset}`;
    together.set(key, [...(together.get(key) ?? []), agent]);
  }
  const shares = new Map<string, HostShare>();
  for (const group of together.values()) {
    for (const [index, agent] of group.entries()) shares.set(agent.name, { index, of: group.length });
  }
  return shares;
}
