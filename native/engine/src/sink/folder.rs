//! Folders that hold objects, and the durability of names in them: a new file survives a power cut only when the
//! folder that names it, and every folder above it that is new, was synced too. Must never know what objects hold.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{CWD, Mode, OFlags, fsync, openat};
use rustix::io::Errno;

use super::os_error::os_error;
use crate::error::Result;

/// A name that was made in a folder; names are numbered in the order in which they were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NameMade(u64);

const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// An open folder.
#[derive(Debug)]
pub(crate) struct Folder {
    fd: OwnedFd,
    path: PathBuf,
    /// The folder that names this one, and that name, when this task made it or cannot rule out that it is new.
    named_by: Option<(Arc<Folder>, NameMade)>,
    made: AtomicU64,
    /// How many of the names made are durable. Held during the sync: those who wait find their name synced too.
    durable: Mutex<u64>,
}

impl Folder {
    /// Opens a folder that the user named; symbolic links in its path are the user's own.
    pub(crate) fn open_followed(path: &Path) -> std::result::Result<Self, Errno> {
        let fd = openat(CWD, path, FLAGS, Mode::empty())?;
        Ok(Self { fd, path: path.to_owned(), named_by: None, made: AtomicU64::new(0), durable: Mutex::new(0) })
    }

    /// Opens the folder `name` in the folder `at`, never through a symbolic link. `path` is for messages; `named_by`
    /// is the folder that holds its name, when that name is to be made durable with those in it.
    pub(crate) fn open(
        at: impl AsFd,
        name: &Path,
        path: &Path,
        named_by: Option<Arc<Folder>>,
    ) -> std::result::Result<Self, Errno> {
        let fd = openat(at, name, FLAGS | OFlags::NOFOLLOW, Mode::empty())?;
        let named_by = named_by.map(|folder| {
            let name = folder.name_made();
            (folder, name)
        });
        Ok(Self { fd, path: path.to_owned(), named_by, made: AtomicU64::new(0), durable: Mutex::new(0) })
    }

    /// The open folder, for calls relative to it.
    pub(crate) fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// Where it is, for messages.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// To be called after a name was made, or found, in this folder. Found ones count as well: another agent may have
    /// made it a moment ago and not have synced it yet.
    pub(crate) fn name_made(&self) -> NameMade {
        NameMade(self.made.fetch_add(1, Ordering::AcqRel) + 1)
    }

    /// Makes a name, and those of the folders above, durable; one sync serves all names made before it began.
    pub(crate) fn make_durable(&self, name: NameMade) -> Result<()> {
        let mut durable = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        if *durable >= name.0 {
            return Ok(());
        }
        if let Some((folder, name)) = &self.named_by {
            folder.make_durable(*name)?;
        }
        let made = self.made.load(Ordering::Acquire);
        match fsync(&self.fd) {
            // File systems that cannot sync a folder (some of FUSE, SMB) make names durable by themselves or not at
            // all; there is nothing that we could do about it.
            Ok(()) | Err(Errno::INVAL | Errno::OPNOTSUPP) => *durable = made,
            Err(errno) => return Err(os_error("sync the folder", &self.path, errno)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sync_serves_all_names_made_before_it() {
        let folder = Folder::open_followed(&std::env::temp_dir()).unwrap();
        let (first, second) = (folder.name_made(), folder.name_made());
        folder.make_durable(first).unwrap();
        assert_eq!(*folder.durable.lock().unwrap(), 2, "the second name was there when the folder was synced");
        folder.make_durable(second).unwrap();
        let third = folder.name_made();
        assert_eq!(*folder.durable.lock().unwrap(), 2, "a later name is not durable yet");
        folder.make_durable(third).unwrap();
        assert_eq!(*folder.durable.lock().unwrap(), 3);
    }
}
