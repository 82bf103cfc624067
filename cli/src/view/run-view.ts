/** How a run shows itself while it goes on: a live block on a terminal, plain lines elsewhere, JSON for programs. */
import { stripVTControlCharacters } from 'node:util';
import { formatBytes, formatCount, formatRate } from '@seedstorm/coordinator/units';
import { printable } from '@seedstorm/errors';
import type { AgentProgress, Event, Progress } from '@seedstorm/proto';
import { toJson } from '../json.js';
import type { RunMessage } from '../operator-client.js';
import { duration, latency } from './format.js';
import { paint } from './paint.js';

/** Shows a run. */
export interface RunView {
  show(message: RunMessage): void;
  /** A line of the command's own. */
  line(text: string): void;
  /** Leaves the terminal as it should be. */
  close(): void;
}

/** The view that suits: JSON when asked for, live when stderr is a terminal, else plain lines. */
export function runView(json: boolean): RunView {
  if (json) return new JsonView();
  return process.stderr.isTTY ? new LiveView() : new PlainView();
}

class JsonView implements RunView {
  show(message: RunMessage): void {
    process.stdout.write(`${toJson({ type: message.$case, ...message.value })}\n`);
  }

  line(text: string): void {
    process.stderr.write(`${text}\n`);
  }

  close(): void {}
}

class PlainView implements RunView {
  show(message: RunMessage): void {
    if (message.$case === 'event') this.line(eventLine(message.value));
    if (message.$case !== 'progress' || message.value.phase === 'waiting') return;
    this.line(summary(message.value));
    for (const agent of message.value.agents) this.line(`  ${agentRow(agent)}`);
  }

  line(text: string): void {
    process.stderr.write(`${text}\n`);
  }

  close(): void {}
}

/** Repaints a block of lines: the summary and a row an agent. Events scroll past above it. */
class LiveView implements RunView {
  #painted = 0;
  #block: string[] = [];

  show(message: RunMessage): void {
    if (message.$case === 'result' || (message.$case === 'event' && message.value.kind === 'stage-ended'))
      this.#repaint([]);
    if (message.$case === 'event') this.line(eventLine(message.value));
    if (message.$case !== 'progress') return;
    const { value } = message;
    const rows = Math.max(1, (process.stderr.rows ?? 24) - 3);
    const agents = value.agents.slice(0, rows).map((agent) => `  ${agentRow(agent)}`);
    const hidden = value.agents.length - agents.length;
    this.#repaint([summary(value), ...agents, ...(hidden > 0 ? [`  … and ${hidden} more agents`] : [])]);
  }

  line(text: string): void {
    const block = this.#block;
    this.#repaint([]);
    process.stderr.write(`${text}\n`);
    this.#repaint(block);
  }

  close(): void {
    this.#repaint([]);
  }

  #repaint(block: string[]): void {
    const up = this.#painted > 0 ? `\x1b[${this.#painted}A\x1b[0J` : '';
    const width = process.stderr.columns ?? 80;
    const lines = block.map((line) => `${cut(line, width - 1)}\n`).join('');
    process.stderr.write(up + lines);
    this.#painted = block.length;
    this.#block = block;
  }
}

/** A line that fits. Where it must be cut its colours go, since a cut colour would run on. */
function cut(line: string, width: number): string {
  const plain = stripVTControlCharacters(line);
  return plain.length <= width ? line : plain.slice(0, width);
}

function eventLine({ level, text }: Event): string {
  const line = printable(text);
  if (level === 'error') return paint.red(`! ${line}`);
  return level === 'warning' ? paint.yellow(`! ${line}`) : `· ${line}`;
}

function summary(progress: Progress): string {
  const { units, unitsDone, stageName, phase, elapsedMs, averageBytesPerSecond, bytesPerSecond } = progress;
  const percent = units > 0n ? (Number(unitsDone) / Number(units)) * 100 : 0;
  const what = phase === 'running' ? '' : ` (${phase})`;
  const left =
    unitsDone > 0n && phase === 'running'
      ? `, ${duration((Number(elapsedMs) / 1000) * (Number(units) / Number(unitsDone) - 1))} left`
      : '';
  if (progress.durationMs > 0n) return byTime(progress, what);
  const parts = [
    `${stageName}${what} ${percent.toFixed(0)}% of ${progress.bytesTotal > 0n ? formatBytes(progress.bytesTotal, 'binary') : `${formatCount(units)} units`}`,
    // A delete moves no bytes.
    progress.bytesTotal > 0n ? `${formatRate(bytesPerSecond)} now, ${formatRate(averageBytesPerSecond)} average` : '',
    `${formatCount(Math.round(progress.operationsPerSecond))} IOPS`,
    latency(progress.latency),
    `${duration(Number(elapsedMs) / 1000)}${left}`,
  ];
  return parts.filter((part) => part !== '').join(' · ') + wrongs(progress);
}

/** What has gone wrong so far. */
function wrongs({ corruptBlocks, errors }: Pick<Progress, 'corruptBlocks' | 'errors'>): string {
  const faults = corruptBlocks > 0n ? paint.red(` · ${formatCount(corruptBlocks)} corrupt blocks`) : '';
  return faults + (errors > 0n ? paint.red(` · ${formatCount(errors)} errors`) : '');
}

/** A stage that goes by time. */
function byTime({ stageName, elapsedMs, durationMs, rampMs, ...progress }: Progress, what: string): string {
  const left = elapsedMs < durationMs ? `, ${duration(Number(durationMs - elapsedMs) / 1000)} left` : '';
  const ramp = elapsedMs < rampMs ? ' (ramp, not counted)' : '';
  const parts = [
    `${stageName}${what}${ramp} ${duration(Number(elapsedMs) / 1000)} of ${duration(Number(durationMs) / 1000)}${left}`,
    `${formatRate(progress.bytesPerSecond)} now, ${formatRate(progress.averageBytesPerSecond)} average`,
    `${formatCount(Math.round(progress.operationsPerSecond))} IOPS`,
    latency(progress.latency),
  ];
  return parts.filter((part) => part !== '').join(' · ') + wrongs(progress);
}

function agentRow(agent: AgentProgress): string {
  const state = agent.state === 'present' ? '' : paint.yellow(` ${agent.state}`);
  const faults = agent.corruptBlocks > 0n ? paint.red(` ${formatCount(agent.corruptBlocks)} corrupt`) : '';
  const errors = agent.errors > 0n ? paint.red(` ${formatCount(agent.errors)} errors`) : '';
  return `${agent.name.padEnd(16)}${formatRate(agent.bytesPerSecond).padStart(12)}${formatCount(Math.round(agent.operationsPerSecond)).padStart(10)} IOPS${formatCount(agent.unitsDone).padStart(12)} units${state}${faults}${errors}`;
}
