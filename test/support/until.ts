/** For what nobody announces, such as the end of a process that is not our child: looks until it is so. */

const everyMs = 20;

/** Resolves when `ready` holds; fails after `timeoutMs` with what `state` says. */
export async function until(ready: () => boolean, timeoutMs: number, state: () => string): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!ready()) {
    if (performance.now() > deadline) throw new Error(`not so after ${timeoutMs / 1000} s: ${state()}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
