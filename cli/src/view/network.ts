/** A network stage's result for people, and what the ports of the agents' hosts carried in a stage of any kind. */
import { formatBytes, formatCount, formatRate } from '@seedstorm/coordinator/units';
import { printable } from '@seedstorm/errors';
import type { AgentStageResult, Latency, NetworkResult, PairResult, StageResult } from '@seedstorm/proto';
import Table from 'cli-table3';
import { nanoseconds } from './format.js';

/** Pairs that are listed, the slowest; the others are in the JSON. */
const maxPairs = 3;

const head = ['network', 'agent', 'sent GB/s', 'received GB/s', 'block p50', 'p99', 'max', 'state'];

/** The table of a network stage, and what a row cannot say. */
export function networkLines(stage: StageResult, network: NetworkResult): string[] {
  const { latency, name } = stage;
  const seconds = Number(stage.durationNs) / 1e9;
  const rows = new Table({
    head,
    style: { head: [], border: [], compact: true },
    colAligns: head.map((_, i) => (i < 2 || i === head.length - 1 ? 'left' : 'right')),
  });
  const times = percentiles(latency);
  const sent = seconds > 0 ? Number(network.sentBytes) / seconds : 0;
  rows.push([network.pattern, 'all', gigabytes(sent), gigabytes(stage.bytesPerSecond), ...times, '']);
  for (const agent of stage.agents) rows.push(agentRow(agent));
  const took = `${formatBytes(network.receivedBytes)} received in ${seconds.toFixed(2)} s (first done after ${nanoseconds(network.firstDoneNs)}), started within ${nanoseconds(stage.startSkewNs)}`;
  const parts = [
    stage.complete ? '' : 'ended early',
    stage.errors > 0n ? `${formatCount(stage.errors)} connections broke` : '',
    network.strangers > 0n ? `${formatCount(network.strangers)} connections of strangers were dropped` : '',
  ].filter((part) => part !== '');
  return [rows.toString(), [`${name}: ${took}`, ...parts].join('; '), ...slowest(network)];
}

function agentRow({ name, state, sentBytesPerSecond, receivedBytesPerSecond, pools }: AgentStageResult): string[] {
  const [first] = pools;
  // Percentiles of several pools do not add up; those are in the JSON.
  const times = percentiles(pools.length === 1 ? first?.latency : undefined);
  return [
    '',
    printable(name),
    gigabytes(sentBytesPerSecond),
    gigabytes(receivedBytesPerSecond),
    ...times,
    state === 'present' ? '' : state,
  ];
}

function percentiles(of: Latency | undefined): string[] {
  if (of === undefined || of.count === 0n) return ['', '', ''];
  return [of.p50Ns, of.p99Ns, of.maxNs].map(nanoseconds);
}

function slowest({ pairs, pairCount }: NetworkResult): string[] {
  if (pairs.length < 2) return [];
  const text = ({ from, to, bytesPerSecond, broken, why }: PairResult): string => {
    const broke = broken === 0n ? '' : ` (${formatCount(broken)} connections broke: ${why})`;
    return printable(`${from} → ${to} ${formatRate(bytesPerSecond)}${broke}`);
  };
  return [`slowest of ${formatCount(pairCount)} pairs: ${pairs.slice(0, maxPairs).map(text).join(', ')}`];
}

/**
 * What went wrong on the ports of the agents' hosts in a stage; what they carried is in the JSON. Agents of one host tell
 * of the same ports.
 */
export function portLines({ name, agents }: StageResult): string[] {
  const hosts = new Map(agents.map((agent) => [agent.host, agent]));
  return [...hosts.values()].flatMap(({ host, ports, tcpRetransmits }) => {
    const faulty = ports
      .filter(({ errors, drops }) => errors + drops > 0n)
      .map(({ name: port, errors, drops }) => `${port} ${formatCount(errors)} errors, ${formatCount(drops)} drops`);
    const again = tcpRetransmits > 0n ? [`TCP sent ${formatCount(tcpRetransmits)} segments again`] : [];
    const said = [...faulty, ...again];
    return said.length === 0 ? [] : [printable(`${name}: ports of ${host}: ${said.join('; ')}`)];
  });
}

function gigabytes(bytesPerSecond: number): string {
  return bytesPerSecond === 0 ? '' : formatRate(bytesPerSecond).replace(' GB/s', '');
}
