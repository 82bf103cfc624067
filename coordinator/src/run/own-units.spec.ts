import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { WriterRange } from '../ledger/index.js';
import { ownUnits } from './own-units.js';

/** Units in order, each with its agent or nobody, as ranges. */
function ranges(agents: readonly string[]): WriterRange[] {
  return agents.flatMap((agent, unit) => (agent === '' ? [] : [{ first: unit, end: unit + 1, agent, host: agent }]));
}

test('an agent that read its own writes back is never passed off as another', () => {
  const agents = fc.array(fc.constantFrom('', 'a', 'b', 'c'), { maxLength: 30 });
  fc.assert(
    fc.property(agents, agents, (read, written) => {
      const own = read.filter((agent, unit) => agent !== '' && agent === written[unit]).length;
      expect(ownUnits(ranges(read), ranges(written))).toBe(own);
    }),
  );
  const whole = (first: number, end: number, agent: string): WriterRange => ({ first, end, agent, host: agent });
  expect(ownUnits([whole(5, 25, 'a')], [whole(0, 10, 'a'), whole(10, 20, 'b'), whole(20, 30, 'a')])).toBe(10);
});
