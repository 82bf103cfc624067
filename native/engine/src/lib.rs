//! Seedstorm's native engine: topology, placement, memory, lanes, sinks and measurement. Knows nothing of Node, of
//! gRPC, of runs or of stages: it is given tasks and gives counts.

mod apart;
mod bell;
pub mod bench;
mod cgroup;
pub mod check;
pub mod classes;
pub mod clock;
pub mod counters;
pub mod cpu;
pub mod cpuset;
pub mod engine;
pub mod error;
pub mod explain;
pub mod fill;
pub mod histogram;
pub mod io;
pub mod lane;
pub mod lanes;
pub mod layout;
pub mod limits;
pub mod memory;
mod named;
pub mod network;
mod notes;
pub mod pieces;
pub mod placement;
pub mod pool_counters;
pub mod readiness;
pub mod sink;
mod survey;
pub mod task;
pub mod topology;
pub mod vectors;
