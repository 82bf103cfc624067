//! Seedstorm's native engine: topology, placement, memory, lanes, sinks and measurement. Knows nothing of Node, of
//! gRPC, of runs or of stages: it is given tasks and gives counts.

pub mod error;
