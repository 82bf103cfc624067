/** The result of a run, for people, on stdout. */
import { formatBytes, formatCount, formatRate } from '@seedstorm/coordinator';
import type { RunResult, StageResult } from '@seedstorm/proto';
import Table from 'cli-table3';
import { nanoseconds } from './format.js';

/** Faults that are listed; the others are in the JSON. */
const maxListed = 20;

const head = ['stage', 'agent', 'NUMA node', 'GB/s', 'IOPS', 'p50', 'p99', 'max', 'units done', 'corrupt'];

/** Writes the result. */
export function showResult(result: RunResult): void {
  const seconds = Number(result.endedUnixMs - result.startedUnixMs) / 1000;
  const lines = [
    '',
    `run ${result.runId}${result.name === '' ? '' : ` (${result.name})`}: ${result.outcome} in ${seconds.toFixed(1)} s · seed ${result.seed} · namespace ${result.namespace}`,
  ];
  if (result.stages.length > 0) lines.push(table(result.stages), ...result.stages.flatMap(remarks));
  for (const note of result.notes) lines.push(`note: ${note}`);
  lines.push(...faults(result));
  for (const path of result.leftBehind) lines.push(`left on the target: ${path}`);
  if (result.agentsLost > 0) lines.push(`agents: ${result.agentsSeen} seen, ${result.agentsLost} lost`);
  process.stdout.write(`${lines.join('\n')}\n`);
}

function table(stages: readonly StageResult[]): string {
  const rows = new Table({
    head,
    style: { head: [], border: [], compact: true },
    colAligns: head.map((_, i) => (i < 3 ? 'left' : 'right')),
  });
  for (const stage of stages) {
    const { latency, name } = stage;
    rows.push([
      name,
      'all',
      '',
      rate(stage.bytesPerSecond),
      formatCount(Math.round(stage.operationsPerSecond)),
      ...(latency === undefined ? ['', '', ''] : [latency.p50Ns, latency.p99Ns, latency.maxNs].map(nanoseconds)),
      `${formatCount(stage.unitsDone)} of ${formatCount(stage.units)}`,
      formatCount(stage.corruptBlocks),
    ]);
    const durationS = Number(stage.durationNs) / 1e9;
    for (const agent of stage.agents) {
      for (const [i, { counters, latency: of }] of agent.pools.entries()) {
        rows.push([
          '',
          i === 0 ? agent.name : '',
          String(counters?.numaNode ?? ''),
          rate(durationS > 0 ? Number(counters?.bytes ?? 0n) / durationS : 0),
          formatCount(durationS > 0 ? Math.round(Number(counters?.operations ?? 0n) / durationS) : 0),
          ...(of === undefined ? ['', '', ''] : [of.p50Ns, of.p99Ns, of.maxNs].map(nanoseconds)),
          i === 0 ? formatCount(agent.unitsDone) : '',
          formatCount(counters?.corruptBlocks ?? 0n),
        ]);
      }
    }
  }
  return rows.toString();
}

/** What a row cannot say. */
function remarks(stage: StageResult): string[] {
  const { name } = stage;
  const parts = [
    stage.complete ? '' : `${formatCount(stage.units - stage.unitsDone)} units were not done`,
    stage.unitsReworked > 0n ? `${formatCount(stage.unitsReworked)} units were done more than once` : '',
    stage.unitsIndeterminate > 0n ? `${formatCount(stage.unitsIndeterminate)} units are indeterminate` : '',
    stage.unitsLost > 0n ? `${formatCount(stage.unitsLost)} units were lost with their agents` : '',
    stage.unitsByTheirWriter > 0n
      ? `${formatCount(stage.unitsByTheirWriter)} units were read by the agent that wrote them`
      : '',
    stage.errors > 0n ? `${formatCount(stage.errors)} operations failed` : '',
  ].filter((part) => part !== '');
  const bytes = stage.bytes > 0n ? `${formatBytes(stage.bytes)} in ` : '';
  const took = `${bytes}${(Number(stage.durationNs) / 1e9).toFixed(2)} s, started within ${nanoseconds(stage.startSkewNs)} (clocks known to ${nanoseconds(stage.clockErrorNs)})`;
  return [`${name}: ${[took, ...parts].join('; ')}`];
}

function faults({ findings, stages }: RunResult): string[] {
  const counts = stages.flatMap((stage) =>
    stage.findingCounts.map(({ kind, count }) => `${formatCount(count)} × ${kind} in ${stage.name}`),
  );
  if (counts.length === 0) return [];
  const lines = [`faults found: ${counts.join(', ')}`];
  for (const { kind, path, offset, length, unit, generation, detail, reader, writer } of findings.slice(0, maxListed)) {
    const about = detail === '' ? '' : ` (${detail})`;
    const by = writer === '' ? '' : `, written by ${writer}`;
    lines.push(
      `  ${kind}${about}: ${path} at offset ${offset}, ${length} bytes, unit ${unit}, generation ${generation}; read by ${reader}${by}`,
    );
  }
  if (findings.length > maxListed)
    lines.push(`  … and ${formatCount(findings.length - maxListed)} more, in the JSON result`);
  return lines;
}

function rate(bytesPerSecond: number): string {
  return bytesPerSecond === 0 ? '' : formatRate(bytesPerSecond).replace(' GB/s', '');
}
