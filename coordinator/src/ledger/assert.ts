/** A limit or an invariant of the ledger that does not hold: a fault of the program, never of an agent. */
export class LedgerInvariantError extends Error {
  override readonly name = 'LedgerInvariantError';
}

/** Throws {@link LedgerInvariantError} unless `condition` holds. The message is only made when it is needed. */
export function assert(condition: boolean, message: () => string): asserts condition {
  if (!condition) throw new LedgerInvariantError(`ledger: ${message()}`);
}

/** Throws unless `value` is a safe integer of at least `least`. */
export function assertInteger(value: number, least: number, name: string): void {
  assert(
    Number.isSafeInteger(value) && value >= least,
    () => `${name} must be an integer of at least ${least}, not ${value}`,
  );
}
