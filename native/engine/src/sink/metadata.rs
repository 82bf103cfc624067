//! What the file sink does with names alone: stat, list, remove. One system call an object, from the open folder that it is
//! in. Must never open an object, nor know what a task makes of the answers.

use std::mem::MaybeUninit;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, StatxFlags, openat, statx, unlinkat};
use rustix::io::Errno;

use super::file::FileSink;
use super::folder::Folder;
use super::os_error::os_error;
use crate::clock::now_ns;
use crate::error::Result;
use crate::layout::Layout;

/// Room for what one getdents brings: some thousand names.
const LIST_BYTES: usize = 128 << 10;

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Removed {
    /// It is gone now.
    Removed,
    /// It was not there.
    Absent,
}

/// The folders that a lane worked in last, open: neighbours lie in one, and a rename needs two.
#[derive(Debug, Default)]
pub(crate) struct AtHand {
    folders: [Option<(u64, Arc<Folder>)>; 2],
    next: usize,
}

impl AtHand {
    /// The folder of this number, opened by `open` when it is not at hand. `None`: it is not there.
    pub(super) fn folder(
        &mut self,
        number: u64,
        open: impl FnOnce() -> Result<Option<Arc<Folder>>>,
    ) -> Result<Option<Arc<Folder>>> {
        if let Some((_, folder)) = self.folders.iter().flatten().find(|(at_hand, _)| *at_hand == number) {
            return Ok(Some(Arc::clone(folder)));
        }
        let opened = open()?;
        if let Some(folder) = &opened {
            self.folders[self.next] = Some((number, Arc::clone(folder)));
            self.next = 1 - self.next;
        }
        Ok(opened)
    }

    /// Lets go of them.
    pub(crate) fn put_back(&mut self) {
        self.folders = [None, None];
    }
}

/// One call that brought names of a folder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListCall {
    /// When it began, in ns.
    pub(crate) start_ns: u64,
    /// When it came back, in ns.
    pub(crate) done_ns: u64,
    /// The names that it brought.
    pub(crate) entries: u64,
}

impl FileSink {
    /// The open folder that an object is in, at hand or opened. `None`: it is not there.
    pub(super) fn folder_at_hand(&self, at_hand: &mut AtHand, object: u64) -> Result<Option<Arc<Folder>>> {
        match self.layout.folder_of(object) {
            // Several paths have folders of one number each; their objects are too few to matter here.
            Some(number) if self.layout.tree().is_some() => at_hand.folder(number, || self.folder_of(object)),
            _ => self.folder_of(object),
        }
    }

    /// How long an object is, in bytes. `None`: it is not there, or is no file.
    pub(crate) fn stat(&self, at_hand: &mut AtHand, object: u64) -> Result<Option<u64>> {
        let Some(folder) = self.folder_at_hand(at_hand, object)? else { return Ok(None) };
        self.stat_in(&folder, &self.layout, object)
    }

    /// The same in a folder, under the names of a layout.
    pub(super) fn stat_in(&self, folder: &Folder, names: &Layout, object: u64) -> Result<Option<u64>> {
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        // What stat(2) asks for: fewer fields could be answered without the servers that know the length.
        match statx(folder.fd(), &*names.file_name(object), flags, StatxFlags::BASIC_STATS) {
            Ok(found) if FileType::from_raw_mode(found.stx_mode.into()) == FileType::RegularFile => {
                Ok(Some(found.stx_size))
            }
            Ok(_) | Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(os_error("stat", &self.path_of(object), errno)),
        }
    }

    /// Reads a folder whole, or the run's own, in all paths; tells each name, and each call that brought any. `false`: it
    /// is in none of them.
    pub(crate) fn list(
        &self,
        folder: Option<u64>,
        mut each: impl FnMut(&[u8]),
        mut call: impl FnMut(ListCall),
    ) -> Result<bool> {
        let mut memory = vec![MaybeUninit::uninit(); LIST_BYTES];
        let mut is_there = false;
        for opened in self.folders.in_all_paths(folder) {
            let Some(opened) = opened? else { continue };
            is_there = true;
            let fault = |errno| os_error("list", opened.path(), errno);
            // The open folder is shared with others, who must not find it read half.
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let fd = openat(opened.fd(), ".", flags, Mode::empty()).map_err(fault)?;
            let mut names = RawDir::new(fd, &mut memory);
            let mut of_call = ListCall { start_ns: 0, done_ns: 0, entries: 0 };
            loop {
                let calls = names.is_buffer_empty();
                let start_ns = if calls { now_ns() } else { 0 };
                let entry = names.next();
                if calls {
                    if of_call.done_ns > 0 {
                        call(of_call);
                    }
                    of_call = ListCall { start_ns, done_ns: now_ns(), entries: 0 };
                }
                let Some(entry) = entry else {
                    call(of_call);
                    break;
                };
                match entry {
                    Ok(entry) => {
                        let name = entry.file_name().to_bytes();
                        if name != b"." && name != b".." {
                            of_call.entries += 1;
                            each(name);
                        }
                    }
                    Err(Errno::INTR) => {}
                    Err(errno) => return Err(fault(errno)),
                }
            }
        }
        Ok(is_there)
    }

    /// Where a folder is, in the first path.
    pub(crate) fn path_of_folder(&self, folder: Option<u64>) -> PathBuf {
        self.folders.path_of_folder(folder)
    }

    /// Removes an object.
    pub(crate) fn remove(&self, at_hand: &mut AtHand, object: u64) -> Result<Removed> {
        let Some(folder) = self.folder_at_hand(at_hand, object)? else { return Ok(Removed::Absent) };
        self.remove_in(&folder, &self.layout, object)
    }

    /// The same in a folder, under the names of a layout.
    pub(super) fn remove_in(&self, folder: &Folder, names: &Layout, object: u64) -> Result<Removed> {
        match unlinkat(folder.fd(), &*names.file_name(object), AtFlags::empty()) {
            Ok(()) => Ok(Removed::Removed),
            Err(Errno::NOENT) => Ok(Removed::Absent),
            Err(errno) => Err(os_error("remove", &self.path_of(object), errno)),
        }
    }
}
