import { isSeedstormError } from '@seedstorm/errors';
import { describe, expect, test } from 'vitest';
import { recordedContent, recordedFiles, recordedId, recordedLayout } from '../testing/records.js';
import { parseAnyPlan, parsePlan } from './parse.js';
import { type EarlierData, resolveRevisit } from './resolve-revisit.js';

const id = recordedId;
const other = '20261124-015237-0ac53caf';

/** What a plan is told. */
function told(text: string): string {
  try {
    parseAnyPlan(text, 'plan.yaml');
  } catch (error) {
    if (isSeedstormError(error))
      return [error, ...error.details].map(({ what, where }) => `${where?.line}: ${what}`).join('\n');
    throw error;
  }
  return 'nothing';
}

const earlier: EarlierData = {
  runId: id,
  startedUnixMs: 1_795_485_157_500,
  content: { ...recordedContent, seed: 7n },
  layout: recordedLayout,
  target: recordedFiles,
  blockBytes: 4096,
  grainUnits: 8,
  leaseUnits: 8,
  generation: 3,
};

describe('a plan about an earlier run', () => {
  test('needs neither data nor target', () => {
    expect(parseAnyPlan(`stages: [{ verify: { run: ${id} } }, { delete: { run: ${id} } }]`, 'p')).toMatchObject({
      revisits: id,
      stages: [
        { kind: 'verify', run: id },
        { kind: 'delete', run: id },
      ],
    });
  });

  test.for([
    ['the seed', 'seed: 7'],
    ['the namespace', 'namespace: n'],
    ['the data', 'data: { size: 1MiB }'],
    ['the target', 'target: { kind: file, path: /t }'],
  ])('does not say %s again, which could differ', ([, line]) => {
    expect(told(`${line}\nstages: [{ verify: { run: ${id} } }]`)).toMatch(
      /^1: \w+: the earlier run's record says it$/u,
    );
  });

  test.for([
    [
      'about two runs',
      `{ read: { run: ${other} } }`,
      `stages[1].read.run: other stages are about the data of run ${id}`,
    ],
    ['that would delete nobody knows what', '{ delete: {} }', 'stages[1].delete: says no run'],
    ['that writes', '{ write: {} }', 'stages[1].write: other stages are about the data of run'],
    [
      'with a rate nobody arrives at',
      `{ read: { run: ${id}, arrivals: poisson } }`,
      'stages[1].read.arrivals: there is no rate',
    ],
  ])('%s is refused', ([, stage, what]) => {
    expect(told(`stages: [{ verify: { run: ${id} } }, ${stage}]`)).toContain(`1: ${what}`);
  });

  test('that reads what it deleted is refused', () => {
    const stages = `[{ delete: { run: ${id} } }, { verify: { run: ${id} } }]`;
    expect(told(`stages: ${stages}`)).toBe('1: stages[1].verify: stages[0] deleted the data');
    expect(told(`stages: [{ delete: { run: ${id} } }]\nrepeat: 2`)).toMatch(/^2: repeat: /u);
  });

  test('cannot reach outside of the records by its run id', () => {
    for (const run of ['../../etc', 'last', `${id}/..`]) {
      expect(told(`stages: [{ verify: { run: "${run}" } }]`)).toMatch(/is not a run id/u);
    }
  });

  test('is no plan where one that makes its data is needed', () => {
    expect(() => parsePlan(`stages: [{ verify: { run: ${id} } }]`, 'p')).toThrow(`about the data of run ${id}`);
  });

  test('finds the data as the record says, in the generation of its last write, under a run id of its own', () => {
    const plan = parseAnyPlan(`stages: [{ verify: { run: ${id}, duration: 5s } }]\nload: { queueDepth: 9 }`, 'p');
    if (!('revisits' in plan)) throw new Error('it is about an earlier run');
    const { content, layout, target } = earlier;
    expect(resolveRevisit(plan, 'new', earlier)).toMatchObject({
      runId: 'new',
      earlier: { runId: id },
      content,
      layout,
      target,
      queueDepth: 9,
      stages: [{ kind: 'verify', generation: 3, durationMs: 5000 }],
      points: [],
    });
  });
});

test('a plan that makes its data and lacks it is told so, whatever else is wrong', () => {
  expect(told('stages: [{ verify: {} }]\nload: 3')).toContain('1: data is missing');
});
