/** The coordinator: plans, runs, ledger, membership. */
export { Coordinator, type CoordinatorOptions } from './coordinator.js';
export * from './plan/index.js';
export type { RecordHead } from './record/run-record.js';
export { dataFolderOf, type ListedRun, RunRecords, usualDataFolderName } from './record/run-records.js';
