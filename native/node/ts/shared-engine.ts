/** The engine that everything shares that is not given one: started at the first use, kept, and ended by `shutdown`. */
import { Engine } from './engine.js';

let ready: Engine | undefined;
let starting: Promise<Engine> | undefined;

/** The shared engine, which is started unless it is there. */
export function sharedEngine(): Promise<Engine> {
  if (ready !== undefined) return Promise.resolve(ready);
  starting ??= start();
  return starting;
}

async function start(): Promise<Engine> {
  try {
    ready = await Engine.start();
    return ready;
  } finally {
    starting = undefined;
  }
}

/**
 * The shared engine for a caller that cannot wait for a promise: started on this thread unless it is there. `undefined`
 * while it is being started off the event loop, which this thread would have to go back to first.
 */
export function sharedEngineNow(): Engine | undefined {
  if (ready === undefined && starting === undefined) ready = Engine.startAndWait();
  return ready;
}

/** The shared engine, if it is there already. */
export function sharedEngineIfReady(): Engine | undefined {
  return ready;
}

/**
 * Ends the shared engine: work in flight rejects with ENGINE_CLOSED, and all of its threads are joined. May be called
 * again; the next use starts a new one. Not needed before the process ends: an idle engine does not keep it alive.
 */
export async function shutdown(): Promise<void> {
  const engine = starting === undefined ? ready : await starting;
  ready = undefined;
  await engine?.close();
}
