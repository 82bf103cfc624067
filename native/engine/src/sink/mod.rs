//! Sinks: where a task's bytes go to or come from. A sink knows objects and offsets; it must never know of ranges,
//! leases, lanes or what the bytes mean.

pub(crate) mod again;
mod alignment;
pub(crate) mod block;
pub(crate) mod cache_watch;
mod caches;
pub(crate) mod direct;
pub(crate) mod file;
pub(crate) mod folder;
pub(crate) mod memory;
pub(crate) mod metadata;
pub(crate) mod null;
pub(crate) mod object;
pub(crate) mod objects;
pub(crate) mod os_error;
mod preallocation;
mod run_folders;
pub mod s3;
pub(crate) mod target;
pub(crate) mod tree;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::named::named;

pub use alignment::{DirectAlignment, direct_alignment};
pub use block::{BlockPlace, BlockUse, Looked, Own, look};
pub use cache_watch::CacheFindings;
pub use caches::{Residency, drop_caches};
pub use direct::Direct;
pub use file::FileWork;
pub use memory::MemoryStore;
pub(crate) use os_error::text as text_of;
pub use preallocation::{Preallocate, Preallocated};
pub use run_folders::folder_of_object;
pub use target::remove_run_folder;

/// Where a task's bytes go to or come from.
#[derive(Clone, Debug)]
pub enum SinkSpec {
    /// Nowhere: what is written is dropped.
    Null,
    /// This engine's memory; the store outlives the task, so that a later one reads what this one wrote.
    Memory(Arc<MemoryStore>),
    /// Files below folders.
    File {
        /// The run's own folder in each path of the target, which must exist; objects are dealt out to them.
        folders: Vec<PathBuf>,
        /// Whether to bypass the page cache.
        direct: Direct,
        /// When a write counts as done.
        sync: SyncPolicy,
        /// What is seldom asked for.
        options: FileOptions,
    },
    /// A block device, or a part of it, which is the one object of the layout.
    Block {
        /// Which.
        place: BlockPlace,
        /// When a write counts as done.
        sync: SyncPolicy,
    },
    /// Objects in a bucket.
    S3(Box<s3::S3Spec>),
}

impl SinkSpec {
    /// When a write counts as done, where there is such a thing.
    pub(crate) fn sync(&self) -> Option<SyncPolicy> {
        match self {
            Self::File { sync, .. } | Self::Block { sync, .. } => Some(*sync),
            // A store has made an object durable when it acknowledged all of it.
            Self::S3(_) => Some(SyncPolicy::File),
            Self::Null | Self::Memory(_) => None,
        }
    }
}

/// What is seldom asked of files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileOptions {
    /// Whether an object has its room before its first byte.
    pub preallocate: Preallocate,
    /// Storage of this host alone: what is read back was written here, so it is taken out of the page cache first; and
    /// whoever is to delete any part of an object removes what is here of it.
    pub local: bool,
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

/// Locks what is whole between any two statements, so that a panic elsewhere leaves it usable.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
