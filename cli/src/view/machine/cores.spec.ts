import { describe, expect, test } from 'vitest';
import { type CorePus, type PuState, rangesOf, runsOf } from './cores.js';

/** Cores of these PUs, whose first has a lane and whose others are free. */
function cores(...all: number[][]): CorePus[] {
  return all.map((pus) => pus.map((pu, thread) => ({ pu, state: thread === 0 ? 'lane' : 'free' })));
}

/** Cores of one PU. */
function single(...all: [pu: number, state: PuState][]): CorePus[] {
  return all.map(([pu, state]) => [{ pu, state }]);
}

describe('cores in few words', () => {
  test('neighbours are one run, whichever way their threads are numbered', () => {
    expect(runsOf(cores([0, 192], [1, 193], [2, 194]))).toEqual(['[0-2]+192-194']);
    expect(runsOf(cores([0, 1], [2, 3], [4, 5]))).toEqual(['[0-4:2]+1-5:2']);
    expect(runsOf(cores([8], [9]))).toEqual(['[8-9]']);
  });

  test('a core by itself is not drawn into a run that only happens to fit', () => {
    expect(runsOf(cores([0], [5], [6], [7]))).toEqual(['[0]', '[5-7]']);
    expect(runsOf(cores([0], [2]))).toEqual(['[0]', '[2]']);
    expect(runsOf(cores([3], [2], [1]))).toEqual(['[3]', '[2]', '[1]']);
    expect(runsOf(cores([0, 8], [1, 10]))).toEqual(['[0]+8', '[1]+10']);
  });

  test('each state has its brackets, and parts runs', () => {
    const states = single([0, 'reserved'], [1, 'reserved'], [2, 'lane'], [3, 'forbidden'], [4, 'free'], [5, 'free']);
    expect(runsOf(states)).toEqual(['(0-1)', '[2]', '{3}', '4-5']);
    expect(runsOf([])).toEqual([]);
  });

  test('numbers become ranges', () => {
    expect(rangesOf([11, 4, 7, 8, 9, 10])).toEqual(['4,', '7-11']);
    expect(rangesOf([])).toEqual([]);
  });
});
