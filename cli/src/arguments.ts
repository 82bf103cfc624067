/** Values of options: parsed by the same functions as the plan's, with the same messages. */
import { isSeedstormError } from '@seedstorm/errors';
import { InvalidArgumentError } from 'commander';

/** A parser of option values, for commander, from one that throws SeedstormErrors. */
export function argument<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      if (isSeedstormError(error)) throw new InvalidArgumentError(`${error.what}; ${error.mend}.`);
      throw error;
    }
  };
}
