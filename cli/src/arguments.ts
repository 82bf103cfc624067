/** Values of options: parsed by the same functions as the plan's, with the same messages. */
import { parseDuration } from '@seedstorm/coordinator/units';
import { isSeedstormError } from '@seedstorm/errors';
import { InvalidArgumentError, Option } from 'commander';

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

/** An option that takes a duration; its value is in ms. */
export function durationOption(flags: string, description: string, usual: string): Option {
  return new Option(flags, description).argParser(argument(parseDuration)).default(parseDuration(usual), usual);
}
