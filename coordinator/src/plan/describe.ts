/** What a resolved plan would do, in plain lines. */
import { formatBytes, formatCount, formatPerSecond } from './format.js';
import { bytesOfUnits } from './geometry.js';
import type { LayoutTree } from './geometry-tree.js';
import {
  dataRunOf,
  type ResolvedDataStage,
  type ResolvedMixedStage,
  type ResolvedPlan,
  type ResolvedStage,
  type ResolvedTarget,
  type ResolvedTime,
} from './resolved.js';
import { pointText } from './sweep.js';
import { formatDuration, formatRatio, formatSize } from './units.js';

/** What the run would do: one line for each thing, without line feeds. */
export function describePlan(plan: ResolvedPlan): string[] {
  const { content, layout } = plan;
  const dataBytes = bytesOfUnits(layout, layout.units);
  const leases = Math.ceil(layout.units / plan.leaseUnits);
  return [
    `run      ${plan.runId}${plan.name === undefined ? '' : ` (${plan.name})`}, seed ${content.seed}, namespace ${JSON.stringify(content.namespace)}`,
    `data     ${formatBytes(dataBytes, 'binary')} (${formatBytes(dataBytes)}): ${formatCount(layout.units)} units of ${formatSize(layout.unitBytes)}; ${dedupText(plan)}; ${compressText(plan)}`,
    `target   ${targetText(plan.target, dataRunOf(plan))}`,
    ...(plan.target.kind === 'file' ? [`files    ${filesText(plan)}`] : []),
    ...(plan.target.kind === 'block' ? [`device   ${deviceText(plan)}`] : []),
    ...(plan.target.kind === 's3' ? [`objects  ${objectsText(plan, plan.target)}`] : []),
    `leases   ${plan.assign === 'static' ? 'equal shares' : `${formatCount(leases)} of ${sizeOfUnits(plan, plan.leaseUnits)}`}, each for ${formatDuration(plan.leaseMs)} after its last renewal`,
    `agents   at least ${formatCount(plan.agentsMinimum)}, ${lanesText(plan)}`,
    ...(plan.errors.inAll === 0 ? [] : [`errors   ${errorsText(plan)}`]),
    ...roundsText(plan),
    ...plan.stages.map((stage, index) => `stage ${String(index + 1).padEnd(2)} ${stageText(stage)}`),
    ...plan.notes.map((note) => `note     ${note}`),
  ];
}

function lanesText({ lanesPerAgent, storageLanes, queueDepth, target }: ResolvedPlan): string {
  if (target.kind !== 'file') {
    return lanesPerAgent === undefined ? 'all lanes of each' : `at most ${formatCount(lanesPerAgent)} lanes of each`;
  }
  return `at most ${formatCount(lanesPerAgent ?? storageLanes)} lanes of each, ${formatCount(queueDepth)} blocks in flight of each lane`;
}

function errorsText({ errors: { ofKind, inAll } }: ResolvedPlan): string {
  const kinds = Object.entries(ofKind).flatMap(([kind, most]) => (most > 0 ? [`${kind} ${formatCount(most)}`] : []));
  return `each stage lets up to ${formatCount(inAll)} I/O errors pass: at most ${kinds.join(', ')}`;
}

function dedupText({ content }: ResolvedPlan): string {
  if (content.dedupMilli === 1000) return 'no dedup';
  return `dedup ${formatRatio(content.dedupMilli)}:1 in windows of ${formatCount(2 ** content.windowBits)} units`;
}

function compressText({ content }: ResolvedPlan): string {
  if (content.compressMilli === 1000) return 'no compression';
  return `compression ${formatRatio(content.compressMilli)}:1 (${content.codec}, ${formatSize(content.recordBytes)} records)`;
}

function targetText(target: ResolvedTarget, runId: string): string {
  if (target.kind === 'null') return 'null: bytes are made and thrown away';
  if (target.kind === 'memory') {
    const limit = target.limitBytes === undefined ? 'as much as is free' : `at most ${formatSize(target.limitBytes)}`;
    return `the memory of each agent, ${limit}`;
  }
  if (target.kind === 'block') {
    const end = target.sizeBytes === undefined ? 'its end' : `byte ${target.offsetBytes + target.sizeBytes}`;
    const part =
      target.offsetBytes === 0 && target.sizeBytes === undefined ? '' : `, from byte ${target.offsetBytes} to ${end}`;
    const loss =
      target.identity === undefined ? 'which must be empty' : `${target.identity}: whatever is on it is lost`;
    return `the block device ${target.device}${part}, ${loss}`;
  }
  if (target.kind === 's3') {
    const prefix = [target.prefix, runId].filter((part) => part !== '').join('/');
    return `s3://${target.bucket}/${prefix}/ at ${target.endpoints.join(', ')} (${target.style} style)`;
  }
  const where = target.runFolders.join(', ');
  const dealt = target.runFolders.length > 1 ? '; files are dealt out to them in turn' : '';
  return `${where}${dealt}${target.scope === 'local' ? '; on storage of each host' : ''}`;
}

function deviceText(plan: ResolvedPlan): string {
  if (plan.target.kind !== 'block') throw new TypeError('only a block target has a device');
  return `blocks of ${formatSize(plan.blockBytes)}; direct I/O; ${syncText[plan.target.sync]}`;
}

function objectsText(plan: ResolvedPlan, target: Extract<ResolvedTarget, { kind: 's3' }>): string {
  const { layout, blockBytes } = plan;
  const { sizes, objects } = layout;
  const largest = sizeOfUnits(plan, Math.min(layout.unitsPerObject, layout.units));
  const each =
    sizes === undefined
      ? `${formatCount(objects)} of ${largest}`
      : `about ${formatCount(objects)} of ${sizeOfUnits(plan, Math.min(...sizes))} to ${largest}`;
  const parts = blockBytes < layout.unitsPerObject * layout.unitBytes ? `, in parts of ${formatSize(blockBytes)}` : '';
  const tries = target.attempts === 1 ? 'no retries' : `at most ${target.attempts} attempts`;
  return `${each}${parts}; ${target.signing} payloads; ${tries}, each given up after ${formatDuration(target.timeoutMs)}`;
}

function filesText(plan: ResolvedPlan): string {
  const { layout, target } = plan;
  if (target.kind !== 'file') throw new TypeError('only a file target has files');
  if (layout.tree !== undefined) return `${treeText(layout.tree)}; ${syncText[target.sync]}`;
  const count = layout.objects === 1 ? '1 shared file' : `${formatCount(layout.objects)} files`;
  const direct = {
    auto: 'direct I/O where the file system takes it',
    true: 'direct I/O',
    false: 'buffered I/O',
  }[`${target.direct}`];
  const preallocated = { auto: '; preallocated where possible', true: '; preallocated', false: '' }[
    `${target.preallocate}`
  ];
  return `${count} of ${sizeOfUnits(plan, Math.min(layout.unitsPerObject, layout.units))}; blocks of ${formatSize(plan.blockBytes)}; ${direct}${preallocated}; ${syncText[target.sync]}`;
}

function treeText({ directories, filesPerDirectory, fileBytes, branching }: LayoutTree): string {
  const files = `${formatCount(directories * filesPerDirectory)} files of ${formatCount(fileBytes)} bytes`;
  const within = branching === 0 ? 'side by side' : `${formatCount(branching)} in each`;
  return `${files} in ${formatCount(directories)} directories, ${within}; one call at a time in each lane`;
}

const syncText = {
  block: 'made durable after each block',
  range: 'made durable after each range',
  file: 'made durable after each file',
  end: 'made durable at the end of the stage',
  never: 'never made durable',
} as const;

function sizeOfUnits({ layout }: ResolvedPlan, units: number): string {
  if (layout.tree !== undefined) return `${formatCount(units / layout.unitsPerObject)} files`;
  return formatSize(BigInt(units) * BigInt(layout.unitBytes));
}

function rateText({ rate, sweptRate }: Pick<ResolvedDataStage, 'rate' | 'sweptRate'>): string {
  const much = rate === undefined ? 'the rate of the point' : formatPerSecond(rate);
  const arrivals = rate === undefined ? sweptRate : rate.arrivals;
  if (arrivals === undefined) return '';
  return ` at ${much} of all agents together${arrivals === 'poisson' ? ', at random instants' : ''}`;
}

function roundsText({ repeat, points, knee, stages }: ResolvedPlan): string[] {
  const lines = points.map(({ values }, at) => `point ${String(at + 1).padEnd(2)} ${pointText(values)}`);
  if (knee !== undefined)
    lines.push(`knee     the highest throughput with ${knee.percentile} < ${knee.belowNs / 1e6} ms`);
  const rounds = Math.max(1, points.length) * repeat;
  if (rounds > 1) {
    const times = repeat > 1 && points.length > 0 ? `, ${formatCount(repeat)} at each point` : '';
    lines.push(`rounds   the stages below are done ${formatCount(rounds)} times${times}`);
  }
  const known = stages.map((stage) => stage.delayMs + ('durationMs' in stage ? (stage.durationMs ?? 0) : 0));
  const totalMs = rounds * known.reduce((sum, ms) => sum + ms, 0);
  const others = stages.some((stage) => !('durationMs' in stage) || stage.durationMs === undefined);
  if (stages.some((stage) => 'durationMs' in stage)) {
    const more = others ? ', and as long as the other stages take' : '';
    lines.push(
      `time     ${stages.some((stage) => 'until' in stage) ? 'at most ' : ''}${formatDuration(totalMs)}${more}`,
    );
  }
  return lines;
}

function mixText({ mix, ...stage }: ResolvedMixedStage): string {
  const { writesOf65536, blockBytes, order, strideBlocks, thetaMilli, operations } = mix;
  const writes = Math.round((writesOf65536 / 65_536) * 1000) / 10;
  const how = { strided: ` by ${formatSize(strideBlocks * blockBytes)}`, zipfian: ` with theta ${thetaMilli / 1000}` };
  const orderText = `${order}${order === 'strided' || order === 'zipfian' ? how[order] : ''}`;
  const amount = `${formatCount(operations)} operations`;
  const rounds = stage.durationMs === undefined ? '' : ' a round';
  return `mixed, ${100 - writes}% reads and ${writes}% writes of ${formatSize(blockBytes)}, ${orderText}, ${amount}${rounds}${rateText(stage)}${timeText(stage)}`;
}

function timeText({ durationMs, rampMs, until }: ResolvedTime): string {
  const ramp = rampMs === undefined ? '' : `, the first ${formatDuration(rampMs)} not counted`;
  if (durationMs === undefined) return ramp;
  if (until === undefined) return `, for ${formatDuration(durationMs)}${ramp}`;
  const stable = `${formatNumber(until.variation * 100)}% over ${formatDuration(until.windowMs)}`;
  return `, until its throughput varies by at most ${stable}, for at most ${formatDuration(durationMs)}${ramp}`;
}

/** A number with at most two decimals. */
function formatNumber(value: number): string {
  return String(Math.round(value * 100) / 100);
}

function stageText(stage: ResolvedStage): string {
  const wait = stage.delayMs === 0 ? '' : `, after a wait of ${formatDuration(stage.delayMs)}`;
  if (stage.kind === 'network') {
    const { pattern = 'all-to-all, or to the coordinator when there is one agent only', direction, durationMs } = stage;
    const how = `${formatSize(stage.blockBytes)} blocks, ${formatCount(stage.streams)} streams a lane`;
    return `network ${pattern}${direction === 'both' ? '' : ', one way'}, for ${formatDuration(durationMs)}; ${how}${wait}`;
  }
  if (stage.kind === 'mixed') return `${mixText(stage)}${wait}`;
  const into =
    stage.nextNames === undefined || stage.nextNames.shift === stage.names?.shift ? '' : ' into the next directory';
  const generation = stage.generation === 0 ? '' : ` generation ${stage.generation}`;
  const drops =
    stage.dropCaches === undefined
      ? ''
      : `, with empty page caches${stage.dropCaches === 'auto' ? ' where permitted' : ''}`;
  const time = timeText(stage);
  return `${stage.kind}${into}${generation}${rateText(stage)}${time}${drops}${wait}`;
}
