//! Sinks whose objects are open files to the system: one set of calls for files below a folder and for a device that is
//! one object. Must never know of ranges or lanes.

use std::path::PathBuf;
use std::sync::Arc;

use super::SyncPolicy;
use super::block::BlockSink;
use super::file::{FileSink, FileWork};
use super::object::ObjectFile;
use crate::error::Result;

/// A sink of one task whose objects can be opened.
#[derive(Debug)]
pub(crate) enum ObjectSink {
    /// Files below a folder.
    Files(FileSink),
    /// A block device, which is object 0.
    Device(BlockSink),
}

impl ObjectSink {
    /// When a write counts as durable.
    pub(crate) fn sync_policy(&self) -> SyncPolicy {
        match self {
            Self::Files(files) => files.sync_policy(),
            Self::Device(device) => device.sync_policy(),
        }
    }

    /// Whether an object that is opened now is read and written past the page cache.
    pub(crate) fn is_direct(&self) -> bool {
        match self {
            Self::Files(files) => files.is_direct(),
            Self::Device(_) => true,
        }
    }

    /// The logical sector of the device that objects lie on, in bytes, where it is known.
    pub(crate) fn sector_bytes(&self) -> Option<u64> {
        match self {
            Self::Files(files) => files.sector_bytes(),
            Self::Device(device) => Some(device.sector_bytes()),
        }
    }

    /// What fell back or was not to be had, to be shown.
    pub(crate) fn notes(&self) -> Vec<String> {
        match self {
            Self::Files(files) => files.notes().map(str::to_owned).collect(),
            Self::Device(device) => device.note().map(str::to_owned).into_iter().collect(),
        }
    }

    /// What a task on files did beside the I/O.
    pub(crate) fn file_work(&self) -> Option<FileWork> {
        match self {
            Self::Files(files) => Some(files.work()),
            Self::Device(_) => None,
        }
    }

    /// Where an object is.
    pub(crate) fn path_of(&self, object: u64) -> PathBuf {
        match self {
            Self::Files(files) => files.path_of(object),
            Self::Device(device) => device.path().to_owned(),
        }
    }

    /// Opens an object; a task that writes makes it when it is not there. `None`: it is not there.
    pub(crate) fn open(&self, object: u64) -> Result<Option<Arc<ObjectFile>>> {
        match self {
            Self::Files(files) => files.open(object),
            Self::Device(device) => device.open().map(Some),
        }
    }

    /// The objects that stay open until the end of the task.
    pub(crate) fn kept_objects(&self) -> Vec<u64> {
        match self {
            Self::Files(files) => files.kept_objects(),
            Self::Device(device) => device.kept().map(|_| 0).into_iter().collect(),
        }
    }

    /// One of them.
    pub(crate) fn kept(&self, object: u64) -> Option<Arc<ObjectFile>> {
        match self {
            Self::Files(files) => files.kept(object),
            Self::Device(device) => device.kept(),
        }
    }

    /// Keeps an object no longer; whoever has it last closes it.
    pub(crate) fn release(&self, object: u64) -> Option<Arc<ObjectFile>> {
        match self {
            Self::Files(files) => files.release(object),
            Self::Device(device) => device.release(),
        }
    }

    /// Removes the numbered folder if it is empty.
    pub(crate) fn remove_folder(&self, number: u64) -> Result<()> {
        match self {
            Self::Files(files) => files.remove_folder(number),
            Self::Device(_) => Ok(()),
        }
    }

    /// Lets go of what the task had of the target beside its objects.
    pub(crate) fn close(&self) {
        match self {
            Self::Files(files) => files.close(),
            Self::Device(device) => device.close(),
        }
    }

    /// Takes back what was made for a task that did not come to be.
    pub(crate) fn unprepare(&self) {
        if let Self::Files(files) = self {
            files.unprepare();
        }
    }
}
