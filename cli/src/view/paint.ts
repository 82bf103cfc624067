/** Colour, where stderr is a terminal and the user did not say NO_COLOR. */
import { styleText } from 'node:util';

const colour = process.stderr.isTTY && (process.env.NO_COLOR ?? '') === '' && process.env.TERM !== 'dumb';

/** Text in a colour, or as it is. */
export const paint = {
  red: (text: string): string => (colour ? styleText('red', text) : text),
  yellow: (text: string): string => (colour ? styleText('yellow', text) : text),
};
