/**
 * How far one agent's monotonic clock is from the coordinator's, by the fastest of the latest round trips (Cristian's
 * algorithm): the agent's clock was read at some instant between sending and receiving, so half the round trip bounds
 * the error. Must not know what the offset is used for.
 */

/** Round trips that are kept; at two a second, the clocks' drift over these stays below the error of a round trip. */
const kept = 64;
/** Probes that may be under way; an agent that answers none must not fill memory. */
const maxOutstanding = 64;

interface RoundTrip {
  readonly offsetNs: bigint;
  readonly tripNs: bigint;
}

/** The offset of one agent's clock. */
export class ClockOffset {
  readonly #outstanding = new Map<bigint, bigint>();
  readonly #trips: RoundTrip[] = [];
  #nextId = 1n;

  /** Notes a probe that is sent at `atNs` and gives its id. */
  probe(atNs: bigint): bigint {
    const id = this.#nextId++;
    this.#outstanding.set(id, atNs);
    if (this.#outstanding.size > maxOutstanding) {
      const [oldest] = this.#outstanding.keys();
      if (oldest !== undefined) this.#outstanding.delete(oldest);
    }
    return id;
  }

  /** Notes the echo of a probe, received at `atNs`. An echo of an unknown probe is ignored: it came too late. */
  echo(id: bigint, agentNs: bigint, atNs: bigint): void {
    const sentNs = this.#outstanding.get(id);
    if (sentNs === undefined) return;
    this.#outstanding.delete(id);
    const tripNs = atNs - sentNs;
    this.#trips.push({ offsetNs: agentNs - (sentNs + tripNs / 2n), tripNs });
    if (this.#trips.length > kept) this.#trips.shift();
  }

  /** Whether at least one round trip was measured. */
  get known(): boolean {
    return this.#trips.length > 0;
  }

  /** The bound of the offset's error, in ns. */
  get errorNs(): bigint {
    return this.#fastest().tripNs / 2n;
  }

  /** An instant of the coordinator's clock on the agent's. */
  toAgent(coordinatorNs: bigint): bigint {
    return coordinatorNs + this.#fastest().offsetNs;
  }

  /** An instant of the agent's clock on the coordinator's. */
  toCoordinator(agentNs: bigint): bigint {
    return agentNs - this.#fastest().offsetNs;
  }

  #fastest(): RoundTrip {
    const [first, ...rest] = this.#trips;
    if (first === undefined) return { offsetNs: 0n, tripNs: 0n };
    return rest.reduce((best, trip) => (trip.tripNs < best.tripNs ? trip : best), first);
  }
}
