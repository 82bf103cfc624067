//! The file sink: opens, creates and removes the objects of a layout below the run's folders. Must never know of
//! ranges or lanes, nor touch a name that the layout does not make.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustix::fs::{AtFlags, Mode, OFlags, openat, unlinkat};
use rustix::io::Errno;

use super::block::sector_below;
use super::cache_watch::{CacheFindings, CacheWatch};
use super::direct::{Direct, DirectUse};
use super::folder::Folder;
use super::object::ObjectFile;
use super::os_error::os_error;
use super::preallocation::{Preallocated, Preallocation};
use super::run_folders::RunFolders;
use super::target::Intent;
use super::{FileOptions, SyncPolicy, lock};
use crate::error::Result;
use crate::layout::{Layout, Name};

/// What the file sink did beside the I/O that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileWork {
    /// Whether I/O went past the page cache, as far as is known by now.
    pub direct: bool,
    /// What was in the page cache, in a task that reads.
    pub cache: CacheFindings,
    /// What was preallocated, in a task that writes.
    pub preallocated: Preallocated,
}

/// The file sink of one task.
#[derive(Debug)]
pub(crate) struct FileSink {
    pub(super) layout: Layout,
    /// The layout behind the next rename, where there is one.
    pub(super) next: Option<Box<Layout>>,
    intent: Intent,
    sync: SyncPolicy,
    local: bool,
    direct: Arc<DirectUse>,
    /// Boxed, as the next: a sink is a variant among small ones.
    preallocation: Box<Preallocation>,
    cache: Box<CacheWatch>,
    pub(super) folders: RunFolders,
    /// See [`FileSink::sector_bytes`].
    sector_bytes: Option<u64>,
    /// Under [`SyncPolicy::End`]: every object that was opened for writing, until the end of the task.
    kept: Mutex<HashMap<u64, Arc<ObjectFile>>>,
}

/// What the devices below all of these folders write as a whole, in bytes, if that is known of each.
fn shortest_sector(folders: &[PathBuf]) -> Option<u64> {
    folders.iter().map(|folder| sector_below(folder)).min_by_key(|known| known.unwrap_or(0)).flatten()
}

impl FileSink {
    /// Looks at the target, and makes the run's folders when the task writes.
    ///
    /// # Errors
    /// [`crate::error::Code::TargetMissing`], [`crate::error::Code::TargetNotWritable`],
    /// [`crate::error::Code::DiskFull`].
    pub(crate) fn prepare(
        folders: &[PathBuf],
        direct: Direct,
        sync: SyncPolicy,
        options: FileOptions,
        layout: Layout,
        intent: Intent,
    ) -> Result<Self> {
        Ok(Self {
            intent,
            sync,
            local: options.local,
            direct: Arc::new(DirectUse::new(direct)),
            preallocation: Box::new(Preallocation::new(options.preallocate)),
            cache: Box::new(CacheWatch::new(layout.objects(), options.local)),
            folders: RunFolders::prepare(folders, &layout, intent, sync)?,
            sector_bytes: shortest_sector(folders),
            kept: Mutex::default(),
            next: layout.renamed().map(Box::new),
            layout,
        })
    }

    /// Lets go of the run's folders when the task has ended: whoever keeps the task, to ask what it did, must not keep
    /// the user from unmounting the target.
    pub(crate) fn close(&self) {
        for object in self.cache.to_see_again() {
            self.see_again(object);
        }
        self.folders.close();
    }

    /// Looks at what the page cache has of an object after the task read it. It may be gone by now, which is no matter.
    fn see_again(&self, object: u64) {
        let Ok(Some(folder)) = self.folder_of(object) else { return };
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        if let Ok(file) = openat(folder.fd(), &*self.name_of(object), flags, Mode::empty()) {
            self.cache.see_again(object, &file);
        }
    }

    /// Takes back what [`FileSink::prepare`] did, for a task that did not come to be.
    pub(crate) fn unprepare(&self) {
        self.folders.unprepare();
    }

    /// Whether an object that is opened now is opened with O_DIRECT.
    pub(crate) fn is_direct(&self) -> bool {
        self.direct.in_use()
    }

    /// The shortest logical sector of the devices below its folders, in bytes; `None` where one of them is not known.
    pub(crate) fn sector_bytes(&self) -> Option<u64> {
        self.sector_bytes
    }

    /// When a write counts as durable.
    pub(crate) fn sync_policy(&self) -> SyncPolicy {
        self.sync
    }

    /// Whether each host has files of its own, and parts of one object may lie on several.
    pub(crate) fn is_local(&self) -> bool {
        self.local
    }

    /// What fell back, to be shown.
    pub(crate) fn notes(&self) -> impl Iterator<Item = &str> {
        self.direct.note().into_iter().chain(self.preallocation.note())
    }

    /// What was done beside the I/O.
    pub(crate) fn work(&self) -> FileWork {
        FileWork { direct: self.direct.in_use(), cache: self.cache.findings(), preallocated: self.preallocation.done() }
    }

    /// The open folder that an object is in. `None`: it is not there.
    pub(super) fn folder_of(&self, object: u64) -> Result<Option<Arc<Folder>>> {
        self.folders.folder_of(object)
    }

    /// An object's name in its folder.
    pub(super) fn name_of(&self, object: u64) -> Name {
        self.layout.file_name(object)
    }

    /// Where an object is.
    pub(crate) fn path_of(&self, object: u64) -> PathBuf {
        self.folders.path_of(object)
    }

    /// Opens an object; a task that writes makes it when it is not there. `None`: it is not there.
    pub(crate) fn open(&self, object: u64) -> Result<Option<Arc<ObjectFile>>> {
        if let Some(file) = lock(&self.kept).get(&object) {
            return Ok(Some(Arc::clone(file)));
        }
        let Some(folder) = self.folder_of(object)? else { return Ok(None) };
        let path = self.path_of(object);
        let fd = match self.open_fd(&folder, &self.name_of(object), &path)? {
            Some(fd) => fd,
            None => return Ok(None),
        };
        match self.intent {
            Intent::Write => self.preallocation.make(&fd, &path, self.layout.bytes_of(object))?,
            // What goes past the cache is not answered by it.
            Intent::Read if !self.direct.in_use() || self.local => self.cache.opened(object, &fd),
            Intent::Change | Intent::Read | Intent::Make | Intent::Remove => {}
        }
        let file = Arc::new(ObjectFile::new(fd, path, folder, Arc::clone(&self.direct)));
        match (self.intent, self.sync) {
            // O_DSYNC makes the bytes of each write durable, but not the name of the file.
            (Intent::Write, SyncPolicy::Block) => file.name_durable()?,
            // Two lanes may have opened it for two ranges: both then use the one that was kept first.
            (Intent::Write | Intent::Change, SyncPolicy::End) => {
                return Ok(Some(Arc::clone(lock(&self.kept).entry(object).or_insert(file))));
            }
            _ => {}
        }
        Ok(Some(file))
    }

    /// Opens the file `name` in `folder`, with O_DIRECT where that is wanted and not refused.
    fn open_fd(&self, folder: &Folder, name: &str, path: &Path) -> Result<Option<OwnedFd>> {
        loop {
            let direct = if self.direct.in_use() { OFlags::DIRECT } else { OFlags::empty() };
            match self.open_flags(folder, name, direct) {
                Ok(fd) => return Ok(Some(fd)),
                Err((Errno::NOENT, _)) if self.intent != Intent::Write => return Ok(None),
                Err((Errno::INTR, _)) => {}
                Err((errno, may_be_new)) => {
                    let fall_back = if direct.is_empty() { Ok(false) } else { self.direct.refused(path, errno) };
                    if fall_back.is_err() && may_be_new {
                        // Some file systems make the file before they refuse O_DIRECT: leave nothing behind. It is
                        // empty, and if another agent made it in between, that agent's open was refused as well.
                        let _ = unlinkat(folder.fd(), name, AtFlags::empty());
                    }
                    if !fall_back? {
                        return Err(os_error("open", path, errno));
                    }
                }
            }
        }
    }

    /// One attempt to open; with an error goes whether the attempt may have made the file.
    fn open_flags(&self, folder: &Folder, name: &str, direct: OFlags) -> std::result::Result<OwnedFd, (Errno, bool)> {
        let flags = direct | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dsync = if self.sync == SyncPolicy::Block { OFlags::DSYNC } else { OFlags::empty() };
        let access = match self.intent {
            Intent::Write => None,
            Intent::Change => Some(OFlags::RDWR | dsync),
            Intent::Read | Intent::Make | Intent::Remove => Some(OFlags::RDONLY),
        };
        if let Some(access) = access {
            return openat(folder.fd(), name, flags | access, Mode::empty()).map_err(|errno| (errno, false));
        }
        let flags = flags | dsync | OFlags::WRONLY;
        let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH;
        match openat(folder.fd(), name, flags | OFlags::CREATE | OFlags::EXCL, mode) {
            Err(Errno::EXIST) => openat(folder.fd(), name, flags, mode).map_err(|errno| (errno, false)),
            other => other.map_err(|errno| (errno, true)),
        }
    }

    /// The objects that stay open until the end of the task.
    pub(crate) fn kept_objects(&self) -> Vec<u64> {
        let mut objects: Vec<u64> = lock(&self.kept).keys().copied().collect();
        objects.sort_unstable();
        objects
    }

    /// One of them.
    pub(crate) fn kept(&self, object: u64) -> Option<Arc<ObjectFile>> {
        lock(&self.kept).get(&object).cloned()
    }

    /// Keeps an object no longer; whoever has it last closes it.
    pub(crate) fn release(&self, object: u64) -> Option<Arc<ObjectFile>> {
        lock(&self.kept).remove(&object)
    }

    /// Removes the numbered folder in each path if it is empty.
    pub(crate) fn remove_folder(&self, number: u64) -> Result<()> {
        self.folders.remove_numbered(number)
    }
}

#[cfg(test)]
mod tests {
    use rustix::fs::fcntl_getfl;

    use super::*;

    /// A sink to write to in a folder of its own, which is removed when the test is through.
    fn with_sink(sync: SyncPolicy, direct: Direct, test: impl FnOnce(&FileSink)) {
        let target = std::env::temp_dir().join(format!("seedstorm-file-{}-{sync:?}-{direct:?}", std::process::id()));
        std::fs::create_dir(&target).unwrap();
        let layout = Layout::new(4096, 5000, 2).unwrap();
        let sink =
            FileSink::prepare(&[target.join("run-1")], direct, sync, FileOptions::default(), layout, Intent::Write)
                .unwrap();
        test(&sink);
        std::fs::remove_dir_all(&target).unwrap();
    }

    #[test]
    fn each_write_is_durable_by_itself_only_where_the_policy_is_block() {
        for sync in [SyncPolicy::Block, SyncPolicy::Range, SyncPolicy::File, SyncPolicy::End, SyncPolicy::Never] {
            with_sink(sync, Direct::No, |sink| {
                let file = sink.open(7).unwrap().unwrap();
                let flags = fcntl_getfl(file.fd()).unwrap();
                assert_eq!(flags.contains(OFlags::DSYNC), sync == SyncPolicy::Block);
                assert!(!flags.contains(OFlags::DIRECT));
            });
        }
    }

    #[test]
    fn direct_io_is_really_used_where_nothing_is_said_against_it() {
        with_sink(SyncPolicy::Never, Direct::Auto, |sink| {
            let file = sink.open(0).unwrap().unwrap();
            assert_eq!(fcntl_getfl(file.fd()).unwrap().contains(OFlags::DIRECT), sink.notes().next().is_none());
        });
    }

    #[test]
    fn an_object_that_is_synced_at_the_end_is_opened_once_for_all_ranges() {
        with_sink(SyncPolicy::End, Direct::No, |sink| {
            let (first, second) = (sink.open(1).unwrap().unwrap(), sink.open(1).unwrap().unwrap());
            assert!(Arc::ptr_eq(&first, &second));
            assert_eq!(sink.kept_objects(), [1]);
            assert!(sink.release(1).is_some() && sink.kept(1).is_none());
        });
    }

    #[test]
    fn what_the_sink_made_for_a_task_that_did_not_come_to_be_is_taken_back() {
        with_sink(SyncPolicy::Range, Direct::Auto, |sink| {
            let folder = sink.path_of(0).ancestors().nth(2).unwrap().to_owned();
            assert!(folder.exists());
            sink.unprepare();
            assert!(!folder.exists());
        });
    }
}
