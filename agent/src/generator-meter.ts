/**
 * How fast an agent's lanes make and compare a run's data where no storage has a part in it. Measured once for each run and
 * choice of lanes and blocks, while nothing else is done; all agents of a run do it at about the same time, so that those
 * of one host share what it has.
 */
import type { Engine, TaskSpec } from '@seedstorm/native';
import type { GeneratorSpeed } from '@seedstorm/proto';

/** How long lanes make bytes, and then compare them: enough for a steady clock, too little to be noticed. */
const seconds = 0.1;

/** What was measured last. */
export class GeneratorMeter {
  #known: { readonly key: string; readonly speed: GeneratorSpeed } | undefined;

  /** The speed of the lanes that this task uses, on its content and in its blocks. */
  async speed(runId: string, engine: Engine, { content, blockBytes, lanes }: TaskSpec): Promise<GeneratorSpeed> {
    const key = JSON.stringify([runId, blockBytes, lanes]);
    if (this.#known?.key === key) return this.#known.speed;
    const measured = await engine.bench(content, seconds, { blockBytes, ...(lanes === undefined ? {} : { lanes }) });
    const perSecond = (bytes: number, ns: number): number => (ns > 0 ? bytes / (ns / 1e9) : 0);
    const speed = {
      generateBytesPerSecond: measured.reduce((sum, of) => sum + perSecond(of.generatedBytes, of.generateNs), 0),
      verifyBytesPerSecond: measured.reduce((sum, of) => sum + perSecond(of.verifiedBytes, of.verifyNs), 0),
    };
    this.#known = { key, speed };
    return speed;
  }
}
