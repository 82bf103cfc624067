import { describe, expect, test } from 'vitest';
import { SeedstormError } from './error.js';
import { render } from './render.js';

describe('what a person sees of an error', () => {
  test('is the code, the place, what happened and the mend', () => {
    const error = new SeedstormError({
      code: 'SEEDSTORM_E_PLAN_UNKNOWN_KEY',
      what: 'unknown key "sise" in data',
      mend: 'did you mean "size"?',
      where: { file: 'plan.yaml', line: 7, column: 5 },
    });
    expect(render(error)).toBe(
      'error SEEDSTORM_E_PLAN_UNKNOWN_KEY: plan.yaml:7:5: unknown key "sise" in data\n  mend: did you mean "size"?',
    );
  });

  test('lists every mistake, not only the first', () => {
    const second = new SeedstormError({ code: 'SEEDSTORM_E_PLAN_INVALID', what: 'second', mend: 'b' });
    const first = new SeedstormError({ code: 'SEEDSTORM_E_PLAN_SYNTAX', what: 'first', mend: 'a', details: [second] });
    expect(render(first).split('\n')).toEqual([
      'error SEEDSTORM_E_PLAN_SYNTAX: first',
      '  mend: a',
      'error SEEDSTORM_E_PLAN_INVALID: second',
      '  mend: b',
    ]);
  });

  test('is never a stack trace, whatever was thrown', () => {
    expect(render(new TypeError('x is not a function'))).not.toMatch(/\bat .*:\d+/u);
    expect(render(undefined)).toContain('SEEDSTORM_E_INTERNAL');
  });

  test('cannot carry control characters from a file name or a peer to the terminal', () => {
    const shown = render(new SeedstormError({ code: 'SEEDSTORM_E_IO', what: 'file \u001b[2Jx\nerror FORGED' }));
    expect(shown).not.toContain('\u001b');
    expect(shown.split('\n')).toHaveLength(2);
  });
});
