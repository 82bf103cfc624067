/** The coordinator: plans, runs, ledger, membership. */
export { Coordinator, type CoordinatorOptions } from './coordinator.js';
export * from './plan/index.js';
