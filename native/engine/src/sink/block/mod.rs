//! The block sink: a block device, or a part of it, as the one object of a layout. Looks before it touches, and writes
//! to nothing that is in use or that would be missed. Must never know of ranges or lanes.

mod contents;
mod device;
mod identity;
mod lock;
mod look;
mod users;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{CWD, Mode, OFlags, openat};
use seedstorm_content::Parameters;

pub use contents::Own;
pub use look::{BlockPlace, BlockUse, Looked, look};

use device::{Device, Number, System};
use lock::Lock;

use super::SyncPolicy;
use super::direct::{Direct, DirectUse};
use super::object::ObjectFile;
use super::os_error::os_error;
use super::target::Intent;
use crate::error::{Code, Error, Result};
use crate::layout::Layout;

/// The logical sector, in bytes, of the device that the file system of `path` lies on. `None`: it lies on none, or on several.
pub(super) fn sector_below(path: &Path) -> Option<u64> {
    let device = rustix::fs::stat(path).ok()?.st_dev;
    let number = Number { major: rustix::fs::major(device), minor: rustix::fs::minor(device) };
    Some(Device::of_number(&System::default(), path, number).ok()?.logical_bytes)
}

/// The block sink of one task.
#[derive(Debug)]
pub(crate) struct BlockSink {
    device: PathBuf,
    part: Range<u64>,
    sector_bytes: u64,
    intent: Intent,
    sync: SyncPolicy,
    direct: Arc<DirectUse>,
    /// This run's hold on the device, until [`BlockSink::close`].
    lock: Mutex<Option<Lock>>,
    note: Option<String>,
    /// Under [`SyncPolicy::End`]: the device, once it was opened for writing, until the end of the task.
    kept: Mutex<Option<Arc<ObjectFile>>>,
}

impl BlockSink {
    /// Looks at the device. Changes nothing.
    ///
    /// # Errors
    /// What speaks against it: [`Code::TargetMissing`], [`Code::DeviceUnfit`], [`Code::DeviceIdentity`],
    /// [`Code::Space`]; for a task that writes also [`Code::TargetNotWritable`], [`Code::DeviceInUse`],
    /// [`Code::DeviceNotEmpty`].
    pub(crate) fn prepare(
        place: &BlockPlace,
        sync: SyncPolicy,
        layout: Layout,
        intent: Intent,
        block_bytes: u64,
        own: Own<'_>,
    ) -> Result<Self> {
        if layout.objects() != 1 {
            return Err(Error::new(
                Code::InvalidArgument,
                format!("a block device is one object, and the layout has {}", layout.objects()),
                "give a layout of one object",
            ));
        }
        let purpose = BlockUse {
            writes: intent.writes(),
            data_bytes: layout.bytes_of(0),
            unit_bytes: layout.unit_bytes(),
            block_bytes,
            own: Some(own),
        };
        let looked = look(place, &purpose)?;
        if let Some(error) = looked.against.into_iter().next() {
            return Err(error);
        }
        let (lock, note) = match intent {
            Intent::Remove => (None, None),
            Intent::Write | Intent::Make | Intent::Change | Intent::Read => match Self::lock(place, &own)? {
                Ok(lock) => (Some(lock), None),
                Err(why) => {
                    (None, Some(format!("another run on this host is not kept off {}: {why}", place.device.display())))
                }
            },
        };
        Ok(Self {
            device: place.device.clone(),
            part: looked.part,
            sector_bytes: looked.logical_sector_bytes,
            intent,
            sync,
            direct: Arc::new(DirectUse::new(Direct::Yes)),
            lock: Mutex::new(lock),
            note,
            kept: Mutex::default(),
        })
    }

    /// A run is known by what all its bytes are made from.
    fn lock(place: &BlockPlace, own: &Own<'_>) -> Result<std::result::Result<Lock, String>> {
        let Parameters { seed, namespace, .. } = own.content.parameters();
        let number = Device::look(&System::default(), &place.device)?.node.number;
        lock::lock(Path::new(lock::FOLDER), &place.device, number, &format!("{namespace} (seed {seed})"))
    }

    /// Lets go of the device when the task has ended, whoever keeps the task to ask what it did.
    pub(crate) fn close(&self) {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// What the system did not give, to be shown.
    pub(crate) fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    fn kept_now(&self) -> MutexGuard<'_, Option<Arc<ObjectFile>>> {
        // Whole between any two statements, so that a panic elsewhere leaves it usable.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the device is.
    pub(crate) fn path(&self) -> &Path {
        &self.device
    }

    /// The part of the device that it is, in bytes of the device.
    pub(super) fn part(&self) -> Range<u64> {
        self.part.clone()
    }

    /// What the device writes as a whole, in bytes.
    pub(crate) fn sector_bytes(&self) -> u64 {
        self.sector_bytes
    }

    /// When a write counts as durable.
    pub(crate) fn sync_policy(&self) -> SyncPolicy {
        self.sync
    }

    /// Opens the device as the layout's object.
    pub(crate) fn open(&self) -> Result<Arc<ObjectFile>> {
        if let Some(file) = self.kept_now().as_ref() {
            return Ok(Arc::clone(file));
        }
        let access = match (self.intent.writes(), self.sync) {
            (true, SyncPolicy::Block) => OFlags::RDWR | OFlags::DSYNC,
            (true, _) => OFlags::RDWR,
            (false, _) => OFlags::RDONLY,
        };
        let fd = openat(CWD, &self.device, access | OFlags::DIRECT | OFlags::CLOEXEC, Mode::empty())
            .map_err(|errno| os_error("open", &self.device, errno))?;
        let file =
            Arc::new(ObjectFile::on_device(fd, self.device.clone(), self.part.clone(), Arc::clone(&self.direct)));
        if self.intent.writes() && self.sync == SyncPolicy::End {
            // Two lanes may have opened it for two ranges: both then use the one that was kept first.
            return Ok(Arc::clone(self.kept_now().get_or_insert(file)));
        }
        Ok(file)
    }

    /// The device, where it stays open until the end of the task.
    pub(crate) fn kept(&self) -> Option<Arc<ObjectFile>> {
        self.kept_now().clone()
    }

    /// Keeps it no longer; whoever has it last closes it.
    pub(crate) fn release(&self) -> Option<Arc<ObjectFile>> {
        self.kept_now().take()
    }
}

#[cfg(test)]
mod tests;
