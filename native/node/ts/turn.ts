/**
 * How much is made on JavaScript's own thread in one turn of the event loop. Promises that are settled already are
 * awaited without going through the event loop, so that a loop over small chunks would else let no timer fire.
 */

/** What a call counts beside its bytes. */
const callBytes = 4096;

let spentBytes = 0;
let isCounting = false;

/** Counts work of this turn, and says whether that was enough: more than `budgetBytes` since the turn began. */
export function isTurnSpent(bytes: number, budgetBytes: number): boolean {
  spentBytes += bytes + callBytes;
  if (!isCounting) {
    isCounting = true;
    setImmediate(() => {
      isCounting = false;
      spentBytes = 0;
    }).unref();
  }
  return spentBytes > budgetBytes;
}

/** Resolves in the next turn of the event loop. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
