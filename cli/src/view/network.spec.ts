import type { AgentStageResult, NetworkResult, StageResult } from '@seedstorm/proto';
import { describe, expect, test } from 'vitest';
import { stageResult } from '../testing.js';
import { networkLines, portLines } from './network.js';

const agent = (changes: Partial<AgentStageResult>): AgentStageResult => ({
  name: 'agent-1',
  host: 'host-1',
  state: 'present',
  unitsDone: 0n,
  bytesPerSecond: 1e9,
  pools: [],
  sentBytesPerSecond: 2e9,
  receivedBytesPerSecond: 1e9,
  ports: [],
  tcpRetransmits: 0n,
  cpu: undefined,
  ...changes,
});
const network: NetworkResult = {
  pattern: 'pairs',
  sentBytes: 6_000_000_000n,
  receivedBytes: 5_000_000_000n,
  pairs: [
    { from: 'agent-2', to: 'agent-1', bytes: 1n, bytesPerSecond: 1e8, broken: 2n, why: 'it closed before the end' },
    { from: 'agent-1', to: 'agent-2', bytes: 1n, bytesPerSecond: 1e9, broken: 0n, why: '' },
  ],
  pairCount: 2n,
  strangers: 1n,
  firstDoneNs: 1_900_000_000n,
  lastDoneNs: 2_000_000_000n,
};
const stage = (changes: Partial<StageResult>): StageResult =>
  stageResult({
    name: 'network',
    bytes: 5_000_000_000n,
    bytesPerSecond: 2.5e9,
    errors: 2n,
    agents: [agent({}), agent({ name: 'agent-2', state: 'lost' })],
    network,
    ...changes,
  });

describe('the result of a network stage', () => {
  test('has a row an agent, names who was lost, the slowest pair, what broke and who was a stranger', () => {
    const text = networkLines(stage({}), network).join('\n');
    expect(text).toMatch(/pairs +│ all +│ +3 │ +2\.5 │/u);
    expect(text).toMatch(/agent-2 +│ +2 │ +1 │.*│ lost/u);
    expect(text).toMatch(/5 GB received in 2\.00 s \(first done after 1\.90 s\)/u);
    expect(text).toContain('2 connections broke; 1 connections of strangers were dropped');
    expect(text).toContain(
      'slowest of 2 pairs: agent-2 → agent-1 0.1 GB/s (2 connections broke: it closed before the end)',
    );
  });

  test('what went wrong on ports is told once a host, and nothing is said of ports without a fault', () => {
    const port = { name: 'eth0', kind: 'nic', receivedBytesPerSecond: 1, sentBytesPerSecond: 1, errors: 0n, drops: 0n };
    const faulty = { ports: [port, { ...port, name: 'mlx5_0/1', errors: 3n, drops: 4n }], tcpRetransmits: 5n };
    const agents = [
      agent({ ports: [port] }),
      agent({ host: 'host-2', ...faulty }),
      agent({ host: 'host-2', ...faulty }),
    ];
    expect(portLines(stage({ name: 'write', agents }))).toEqual([
      'write: ports of host-2: mlx5_0/1 3 errors, 4 drops; TCP sent 5 segments again',
    ]);
  });
});
