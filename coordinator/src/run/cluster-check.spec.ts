import { CheckLevel, type TargetChecked } from '@seedstorm/proto';
import { describe, expect, test } from 'vitest';
import { parsePlan } from '../plan/parse.js';
import { resolvePlan } from '../plan/resolve.js';
import { type Checked, clusterFindings, refuseOtherDevices } from './cluster-check.js';
import { inFlight } from './in-flight.js';

const GiB = 1024n ** 3n;

function plan(target: string, stages = '{ write: {} }, { verify: {} }') {
  const text = `data: { size: 100GiB }\ntarget: { ${target} }\nstages: [${stages}]`;
  const context = { runId: 'run', randomSeed: 1n, defaultWindowBits: () => 0, planFolder: '/' };
  return resolvePlan(parsePlan(text, 'plan.yaml'), context);
}

function answer(name: string, machine: string, changes: Partial<TargetChecked> = {}): Checked {
  const checked: TargetChecked = {
    id: 1n,
    findings: [],
    freeBytes: 0n,
    device: '',
    lanes: 1,
    identity: '',
    deviceBytes: 0n,
    memoryBytes: 30n * GiB,
    paths: [],
    ...changes,
  };
  return { name, host: machine, machine, checked };
}

const block = plan('kind: block, device: /dev/sdb');
const errors = (answers: readonly Checked[]) =>
  answers.flatMap(({ name, checked }) => checked.findings.map(({ detail }) => `${name}: ${detail?.what}`));

describe('agents that are to share a device', () => {
  const sees = (name: string, identity: string, deviceBytes = 8n) =>
    answer(name, `host of ${name}`, { identity, deviceBytes });

  test('pass when all see the same one', () => {
    const answers = [sees('a', 'eui.1'), sees('b', 'eui.1')];
    refuseOtherDevices(block, answers);
    expect(errors(answers)).toEqual([]);
  });

  test('are refused by name where one sees another device under the path', () => {
    const answers = [sees('a', 'eui.2'), sees('b', 'eui.1'), sees('c', 'eui.1')];
    refuseOtherDevices(block, answers);
    expect(errors(answers)).toEqual(['a: /dev/sdb is eui.2 of 8 bytes for agent a, and eui.1 of 8 bytes for b, c']);
    expect(answers[0]?.checked.findings[0]?.level).toBe(CheckLevel.ERROR);
  });

  test('are refused where one sees another size of it', () => {
    const answers = [sees('a', 'eui.1'), sees('b', 'eui.1', 9n), sees('c', 'eui.1')];
    refuseOtherDevices(block, answers);
    expect(errors(answers)).toEqual(['b: /dev/sdb is eui.1 of 9 bytes for agent b, and eui.1 of 8 bytes for a, c']);
  });

  test('on several hosts are refused where nothing shows that it is one device', () => {
    const answers = [sees('a', ''), sees('b', '')];
    refuseOtherDevices(block, answers);
    expect(errors(answers)).toHaveLength(2);
    const together = [sees('a', ''), { ...sees('b', ''), machine: 'host of a' }];
    refuseOtherDevices(block, together);
    expect(errors(together)).toEqual([]);
  });

  test('that do not see any device are not counted: that is an error of its own', () => {
    const answers = [sees('a', '', 0n), sees('b', 'eui.1')];
    refuseOtherDevices(block, answers);
    expect(errors(answers)).toEqual([]);
  });
});

describe('data that the hosts of all agents could keep in memory', () => {
  const file = plan('kind: file, path: /t');

  test('are warned of, by hosts and not by agents, where something is read', () => {
    expect(clusterFindings(file, [answer('a', 'x'), answer('b', 'x')])).toEqual([]);
    expect(clusterFindings(file, [answer('a', 'x'), answer('b', 'y')])).toMatchObject([
      { level: CheckLevel.WARNING, detail: { what: expect.stringContaining('100 GiB') } },
    ]);
  });

  test('are no matter where nothing is read, or no cache could answer', () => {
    const both = [answer('a', 'x'), answer('b', 'y')];
    expect(clusterFindings(plan('kind: file, path: /t', '{ write: {} }'), both)).toEqual([]);
    expect(clusterFindings(plan('kind: file, path: /t, io: { direct: true }'), both)).toEqual([]);
    expect(clusterFindings(block, both)).toEqual([]);
  });
});

test('what is in flight counts every lane of every agent', () => {
  expect(inFlight(384, 4, 1024 ** 2)).toMatchObject({ lanes: 384, operations: 1536n, bytes: 1536n * 1024n ** 2n });
});
