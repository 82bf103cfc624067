//! Tasks as the control plane drives them: through the public face of the engine only, on real files.

mod depth;
mod ending;
mod faults;
mod flow;
mod in_flight;
mod local_files;
mod mixed;
mod rates;
mod round_trip;
mod sinks;
mod support;
mod target;
mod tree;
