/** The agent: joins a coordinator, holds leases, drives the native engine. */
export { Agent, type AgentOptions } from './agent.js';
