// Tells the host what was seen, one line of JSON an observation.
import { appendFileSync } from 'node:fs';

/** Looks, and tells what was seen, or why nothing was. An observation that fails does not stop the next ones. */
export async function observe(name, look) {
  const began = Date.now();
  const seen = {};
  try {
    seen.value = await look();
  } catch (error) {
    seen.error = error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  appendFileSync('/dev/ttyS1', `${JSON.stringify({ name, ...seen, seconds: (Date.now() - began) / 1000 })}\n`);
}
