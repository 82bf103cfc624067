//! What the file sink does in a tree of many small files: makes directories, creates and renames files, removes both. What
//! an earlier attempt at the same left behind is no error, and is told apart. Must never know of ranges or lanes.

use std::os::fd::{IntoRawFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, fsync, mkdirat, openat, renameat};
use rustix::io::{Errno, pwrite};

use super::SyncPolicy;
use super::file::FileSink;
use super::folder::Folder;
use super::metadata::{AtHand, Removed};
use super::object::{ObjectFile, not_there};
use super::os_error::os_error;
use super::target::FOLDER_MODE;
use crate::error::Result;

/// Whether something was made, or an earlier attempt had made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Made {
    /// Just now.
    Now,
    /// It was there.
    Before,
}

/// A file that is being made.
#[derive(Debug)]
pub(crate) struct NewFile {
    fd: OwnedFd,
    folder: Arc<Folder>,
    object: u64,
    /// Whether it was made just now.
    pub(crate) made: Made,
}

impl FileSink {
    /// Makes a directory. Where the one that it is to lie in is not there yet, because others are at that, it makes that too.
    /// Gives how many were made.
    pub(crate) fn make_directory(&self, directory: u64) -> Result<u64> {
        let parent = self.layout.parent_of_folder(directory);
        let mut made = 0;
        let opened = match (self.folders.directory(parent)?, parent) {
            (None, Some(parent)) => {
                made = self.make_directory(parent)?;
                self.folders.directory(Some(parent))?
            }
            (opened, _) => opened,
        };
        let path = || self.folders.path_of_folder(Some(directory));
        let Some(folder) = opened else { return Err(os_error("mkdir", &path(), Errno::NOENT)) };
        match mkdirat(folder.fd(), &*self.layout.folder_name(directory), FOLDER_MODE) {
            Ok(()) => Ok(made + 1),
            Err(Errno::EXIST) => Ok(made),
            Err(errno) => Err(os_error("mkdir", &path(), errno)),
        }
    }

    /// Creates a file, or opens the one that an earlier attempt created.
    pub(crate) fn create(&self, at_hand: &mut AtHand, object: u64) -> Result<NewFile> {
        let fault = |errno| os_error("create", &self.path_of(object), errno);
        let Some(folder) = self.folder_at_hand(at_hand, object)? else { return Err(fault(Errno::NOENT)) };
        let dsync = if self.sync_policy() == SyncPolicy::Block { OFlags::DSYNC } else { OFlags::empty() };
        let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | dsync;
        let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH;
        let name = self.name_of(object);
        let (fd, made) = match openat(folder.fd(), &*name, flags | OFlags::CREATE | OFlags::EXCL, mode) {
            Ok(fd) => (fd, Made::Now),
            Err(Errno::EXIST) => (openat(folder.fd(), &*name, flags, mode).map_err(fault)?, Made::Before),
            Err(errno) => return Err(fault(errno)),
        };
        Ok(NewFile { fd, folder, object, made })
    }

    /// Writes bytes to a file that is being made.
    pub(crate) fn write_new(&self, file: &NewFile, bytes: &[u8], offset: u64) -> Result<()> {
        let mut written = 0;
        while written < bytes.len() {
            match pwrite(&file.fd, &bytes[written..], offset + written as u64) {
                // A write that takes nothing and says nothing would be tried for ever.
                Ok(0) => return Err(self.write_error(file, bytes.len(), offset, Errno::IO)),
                Ok(count) => written += count,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(self.write_error(file, bytes.len(), offset, errno)),
            }
        }
        Ok(())
    }

    fn write_error(&self, file: &NewFile, bytes: usize, offset: u64, errno: Errno) -> crate::error::Error {
        os_error(&format!("write {bytes} bytes at offset {offset} of"), &self.path_of(file.object), errno)
    }

    /// Makes a new file's bytes durable, as the policy says; its name too where each file is durable by itself.
    pub(crate) fn sync_new(&self, file: &NewFile) -> Result<()> {
        fsync(&file.fd).map_err(|errno| os_error("sync", &self.path_of(file.object), errno))?;
        match self.sync_policy() {
            SyncPolicy::Block | SyncPolicy::File => file.folder.make_durable(file.folder.name_made()),
            _ => Ok(()),
        }
    }

    /// Closes a new file. Network file systems write back on close and answer with the errors of that.
    pub(crate) fn close_new(&self, file: NewFile) -> Result<Made> {
        let NewFile { fd, object, made, .. } = file;
        // SAFETY: the fd was owned until here, and Linux frees it whatever close answers, so it is not closed again.
        if unsafe { libc::close(fd.into_raw_fd()) } == 0 {
            return Ok(made);
        }
        match Errno::from_io_error(&std::io::Error::last_os_error()) {
            None | Some(Errno::INTR) => Ok(made),
            Some(errno) => Err(os_error("close", &self.path_of(object), errno)),
        }
    }

    /// Gives a file its next name. `Before`: an earlier attempt did.
    pub(crate) fn rename(&self, at_hand: &mut AtHand, object: u64) -> Result<Made> {
        let fault = |errno| os_error("rename", &self.path_of(object), errno);
        let Some(next) = &self.next else { return Err(fault(Errno::INVAL)) };
        let to = match next.folder_of(object) {
            Some(number) => at_hand.folder(number, || self.folders.directory(Some(number)))?,
            None => None,
        };
        let Some(to) = to else { return Err(fault(Errno::NOENT)) };
        let old = match self.folder_at_hand(at_hand, object)? {
            Some(from) => renameat(from.fd(), &*self.name_of(object), to.fd(), &*next.file_name(object)),
            None => Err(Errno::NOENT),
        };
        match old {
            Ok(()) => Ok(Made::Now),
            Err(Errno::NOENT) if self.stat_in(&to, next, object)?.is_some() => Ok(Made::Before),
            Err(Errno::NOENT) => Err(not_there(&self.path_of(object))),
            Err(errno) => Err(fault(errno)),
        }
    }

    /// Removes a file under the name that a rename gave it, or was about to.
    pub(crate) fn remove_renamed(&self, at_hand: &mut AtHand, object: u64) -> Result<Removed> {
        let Some(next) = &self.next else { return Ok(Removed::Absent) };
        let Some(number) = next.folder_of(object) else { return Ok(Removed::Absent) };
        let opened = at_hand.folder(number, || self.folders.directory(Some(number)))?;
        opened.map_or(Ok(Removed::Absent), |folder| self.remove_in(&folder, next, object))
    }

    /// Removes a directory if it is empty, and those above it that then are. Gives how many.
    pub(crate) fn remove_directory(&self, directory: u64) -> Result<u64> {
        self.folders.remove_directory(directory)
    }

    /// Makes durable what was named in a directory; in the run's folder for none. One that is not there has nothing to lose.
    pub(crate) fn sync_directory(&self, directory: Option<u64>) -> Result<()> {
        match self.folders.directory(directory)? {
            Some(folder) => folder.make_durable(folder.name_made()),
            None => Ok(()),
        }
    }

    /// Opens a file, whose directory stays at hand. `None`: it is not there.
    pub(crate) fn open_at_hand(&self, at_hand: &mut AtHand, object: u64) -> Result<Option<Arc<ObjectFile>>> {
        match self.folder_at_hand(at_hand, object)? {
            Some(_) => self.open(object),
            None => Ok(None),
        }
    }
}
