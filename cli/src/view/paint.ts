/** Colour, where stderr is a terminal that has colours and the user did not say NO_COLOR. */
import { styleText } from 'node:util';

const colour = process.stderr.isTTY && process.stderr.hasColors();

function painted(format: 'red' | 'yellow', text: string): string {
  // Node would look at stdout by itself, which may go elsewhere.
  return colour ? styleText(format, text, { validateStream: false }) : text;
}

/** Text in a colour, or as it is. */
export const paint = {
  red: (text: string): string => painted('red', text),
  yellow: (text: string): string => painted('yellow', text),
};
