//! The thin napi layer over the engine: plain values in, plain values out. Validation, defaults and names for people are
//! TypeScript's (`ts/`, file by file in the same order); what is slow happens on lanes or threads, never here.

mod block;
mod buffers;
mod content;
mod ending;
mod engine;
mod error;
mod filler;
mod finding;
mod hold;
mod machine;
mod network;
mod notes;
mod overwrites;
mod readiness;
mod s3;
mod settle;
mod snapshot;
mod stream;
mod system;
mod target;
mod task;
mod topology;
mod vectors;
