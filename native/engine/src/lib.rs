//! Seedstorm's native engine: topology, placement, memory, lanes, sinks and measurement. Knows nothing of Node, of
//! gRPC, of runs or of stages: it is given tasks and gives counts.

mod bell;
pub mod bench;
pub mod check;
pub mod clock;
pub mod counters;
pub mod cpuset;
pub mod engine;
pub mod error;
pub mod fill;
pub mod histogram;
pub mod lane;
pub mod lanes;
pub mod layout;
pub mod memory;
pub mod pieces;
pub mod placement;
pub mod sink;
pub mod task;
pub mod topology;
pub mod vectors;
