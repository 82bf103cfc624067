/** Seedstorm's wire, version 1: generated messages and services, and the few rules that both ends share. */
export * from './class-counters.js';
export * from './connection.js';
export * from './generated/seedstorm/v1/agent.js';
export * from './generated/seedstorm/v1/common.js';
export * from './generated/seedstorm/v1/operator.js';
export * from './histogram.js';
export * from './pool-counters.js';
export * from './status.js';
