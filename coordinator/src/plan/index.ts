/** From a plan file's text to a plan, and to the resolved plan that runs. */
export { describePlan } from './describe.js';
export { formatBytes, formatCount, formatRate } from './format.js';
export type { Layout } from './geometry.js';
export { maxPlanBytes, parsePlan } from './parse.js';
export { readPlanText } from './read.js';
export { planJsonSchema, planReference } from './reference.js';
export { type ResolveContext, resolvePlan } from './resolve.js';
export {
  type ErrorPolicy,
  type ResolvedContent,
  type ResolvedDataStage,
  type ResolvedNetworkStage,
  type ResolvedPlan,
  type ResolvedPlanJson,
  type ResolvedStage,
  type ResolvedTarget,
  resolvedPlanFromJson,
  resolvedPlanToJson,
} from './resolved.js';
export {
  type Codec,
  codecs,
  type ErrorKind,
  type NetworkDirection,
  type NetworkPattern,
  type Plan,
  recordSizes,
  type Scope,
  type StageKind,
  type SyncMode,
  stageKinds,
  syncModes,
} from './schema.js';
export {
  formatDuration,
  formatRatio,
  formatSize,
  parseDuration,
  parseInteger,
  parsePowerOfTwo,
  parseRatio,
  parseSeed,
  parseSize,
} from './units.js';
