//! Sinks: where a task's bytes go to or come from. A sink knows objects and offsets; it must never know of ranges,
//! leases, lanes or what the bytes mean.

pub(crate) mod block;
pub(crate) mod direct;
pub(crate) mod file;
pub(crate) mod folder;
pub(crate) mod memory;
pub(crate) mod null;
pub(crate) mod object;
pub(crate) mod objects;
pub(crate) mod os_error;
pub(crate) mod target;

use std::path::PathBuf;
use std::sync::Arc;

use crate::named::named;

pub use block::{BlockPlace, BlockUse, Looked, Own, look};
pub use direct::Direct;
pub use memory::MemoryStore;
pub(crate) use os_error::text as text_of;
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
    /// A block device, or a part of it, which is the one object of the layout.
    Block {
        /// Which.
        place: BlockPlace,
        /// When a write counts as done.
        sync: SyncPolicy,
    },
}

impl SinkSpec {
    /// When a write counts as done, where there is such a thing.
    pub(crate) fn sync(&self) -> Option<SyncPolicy> {
        match self {
            Self::File { sync, .. } | Self::Block { sync, .. } => Some(*sync),
            Self::Null | Self::Memory(_) => None,
        }
    }
}

named! {
    /// When what was written is made durable, and with that done. Of no meaning to tasks that do not write files.
    SyncPolicy {
        /// With each block (O_DSYNC).
        Block => "block",
        /// Once all units of a range are written.
        #[default]
        Range => "range",
        /// Once all units of a range in one file are written.
        File => "file",
        /// When the task is told to, and at its end.
        End => "end",
        /// Not at all: a unit is done when its write was acknowledged.
        Never => "never",
    }
}
