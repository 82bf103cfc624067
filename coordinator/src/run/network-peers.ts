/** Who sends to whom in a network stage. Pure. */
import type { NetworkDirection, NetworkPattern } from '../plan/index.js';

/** What the coordinator's host is called among the agents. */
export const coordinatorName = 'coordinator';

/** Somebody who takes part. */
export interface Placed {
  readonly name: string;
  readonly host: string;
}

/**
 * For each agent, by its number, the numbers of those that it sends to. Under `coordinator` the coordinator's host has the
 * number after the last agent, and a list too.
 */
export function sendsTo(pattern: NetworkPattern, direction: NetworkDirection, agents: readonly Placed[]): number[][] {
  const all = agents.map((_, number) => number);
  switch (pattern) {
    case 'all-to-all':
      return all.map((own) => [...all.slice(own + 1), ...all.slice(0, own)]);
    case 'coordinator':
      return [...all.map(() => [agents.length]), direction === 'both' ? all : []];
    case 'pairs':
      return pairs(direction, agents);
  }
}

/**
 * By host, then by name, each of the first half with its like in the second: so that partners are on different hosts, and
 * far apart where names follow the racks. An odd one makes a ring of three of the last pair; one way it has no partner.
 */
function pairs(direction: NetworkDirection, agents: readonly Placed[]): number[][] {
  const order = agents
    .map((agent, number) => ({ ...agent, number }))
    .sort((a, b) => compare(a.host, b.host) || compare(a.name, b.name))
    .map(({ number }) => number);
  const targets: number[][] = agents.map(() => []);
  const send = (from: number | undefined, to: number | undefined): void => {
    if (from !== undefined && to !== undefined) targets[from]?.push(to);
  };
  const half = Math.floor(order.length / 2);
  const odd = order.length % 2 === 1 && direction === 'both' ? order.at(-1) : undefined;
  for (let i = 0; i < half; i++) {
    const [first, second] = [order[i], order[i + half]];
    send(first, second);
    if (odd !== undefined && i === half - 1) {
      send(second, odd);
      send(odd, first);
    } else if (direction === 'both') {
      send(second, first);
    }
  }
  return targets;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
