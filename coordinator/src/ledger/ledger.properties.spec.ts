import * as fc from 'fast-check';
import { describe, it } from 'vitest';
import { forAll } from './testing/check.js';
import { Simulation, stage, step } from './testing/schedule.js';

/** Schedules for each of the four kinds of stage. */
const RUNS = Number(process.env.SEEDSTORM_PROPERTY_RUNS ?? 600);
const TIMEOUT_MS = 60_000 + RUNS * 50;

describe.each([
  ['handed out as agents ask', 'any'],
  ['verified by another agent', 'other'],
  ['of node-local data', 'same'],
  ['in equal static shares', 'static'],
] as const)('a stage %s', (_, kind) => {
  const schedules = fc.record({
    options: stage(kind),
    steps: fc.array(step, { maxLength: 90, size: 'max' }),
    survivor: fc.nat(3),
  });

  it('accounts for every unit exactly once, whoever joins, lies, falls silent or dies', { timeout: TIMEOUT_MS }, () => {
    forAll(schedules, RUNS, ({ options, steps, survivor }) => {
      const simulation = new Simulation(options);
      simulation.play(steps);
      simulation.finish(survivor);
    });
  });
});
