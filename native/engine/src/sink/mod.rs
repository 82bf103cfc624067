//! Sinks: where a task's bytes go to or come from. A sink knows objects and offsets; it must never know of ranges,
//! leases, lanes or what the bytes mean.

pub(crate) mod direct;
pub(crate) mod file;
pub(crate) mod folder;
pub(crate) mod memory;
pub(crate) mod null;
pub(crate) mod object;
mod os_error;
pub mod s3;
pub(crate) mod target;

use std::path::PathBuf;
use std::sync::Arc;

pub use direct::Direct;
pub use memory::MemoryStore;
pub use target::remove_run_folder;

/// Where a task's bytes go to or come from.
#[derive(Clone, Debug)]
pub enum SinkSpec {
    /// Nowhere: what is written is dropped.
    Null,
    /// This engine's memory; the store outlives the task, so that a later one reads what this one wrote.
    Memory(Arc<MemoryStore>),
    /// Files below a folder.
    File {
        /// The run's own folder. The folder that it is in is the target, which must exist.
        folder: PathBuf,
        /// Whether to bypass the page cache.
        direct: Direct,
        /// When a write counts as done.
        sync: SyncPolicy,
    },
}

/// When what was written is made durable, and with that done. Of no meaning to tasks that do not write files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncPolicy {
    /// With each block (O_DSYNC).
    Block,
    /// Once all units of a range are written.
    Range,
    /// Once all units of a range in one file are written.
    File,
    /// When the task is told to, and at its end.
    End,
    /// Not at all: a unit is done when its write was acknowledged.
    Never,
}
