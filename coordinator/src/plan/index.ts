/** From a plan file's text to a plan, and to the resolved plan that runs. */

export { describePlan } from './describe.js';
export { bytesOfUnits, type Layout } from './geometry.js';
export { firstNames, type LayoutTree, type TreeNames } from './geometry-tree.js';
export { maxPlanBytes, parseAnyPlan, parsePlan } from './parse.js';
export { readPlanText } from './read.js';
export { planJsonSchema, planReference } from './reference.js';
export { type ResolveContext, resolvePlan } from './resolve.js';
export { type EarlierData, resolveRevisit } from './resolve-revisit.js';
export {
  dataRunOf,
  type ErrorPolicy,
  planAt,
  type ResolvedContent,
  type ResolvedDataStage,
  type ResolvedMix,
  type ResolvedNetworkStage,
  type ResolvedPlan,
  type ResolvedPlanJson,
  type ResolvedRate,
  type ResolvedStage,
  type ResolvedTarget,
  resolvedPlanFromJson,
  resolvedPlanToJson,
  type Stability,
  type SweepPoint,
  type SweepValues,
} from './resolved.js';
export { stagesOfRound } from './rounds.js';
export type {
  Codec,
  ErrorKind,
  NetworkDirection,
  NetworkPattern,
  Plan,
  RevisitPlan,
  Scope,
  StageKind,
  SyncMode,
} from './schema.js';
export type { Knee } from './schema-sweep.js';
export { agentsNeeded, pointText } from './sweep.js';
export type { Rate } from './units.js';
