//! The run's folders: its own in each of the target's paths, and the numbered ones in them. Must never know what is in
//! an object, nor touch a folder that the layout does not make.
//!
//! Objects are dealt out to the paths by their number, not units by theirs: an object then lies whole in one path, is
//! one file with one name, and any agent finds it there by the layout alone. Neighbours go to different paths, so that
//! a lease of several objects keeps all paths busy.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};

use rustix::fs::{AtFlags, mkdirat, unlinkat};
use rustix::io::Errno;

use super::SyncPolicy;
use super::folder::Folder;
use super::lock;
use super::os_error::os_error;
use super::target::{FOLDER_MODE, Intent, Target, remove_run_folder};
use crate::error::{Code, Error, Result};
use crate::layout::Layout;

/// The run's own folder, of all of them, that an object lies in.
pub fn folder_of_object(folders: &[PathBuf], object: u64) -> Option<&PathBuf> {
    let paths = folders.len() as u64;
    // The remainder is less than a length, which fits.
    (paths > 0).then(|| &folders[(object % paths) as usize])
}

/// The run's folder in one path.
#[derive(Debug)]
struct RunFolder {
    path: PathBuf,
    /// Open; none when there is none and the task does not write, and none after [`RunFolders::close`].
    open: Mutex<Option<Arc<Folder>>>,
    /// Whether this task made it.
    made: bool,
    /// Numbered folders of objects that are open now.
    numbered: Mutex<HashMap<u64, Weak<Folder>>>,
}

/// The run's folders in all paths.
#[derive(Debug)]
pub(crate) struct RunFolders {
    layout: Layout,
    intent: Intent,
    folders: Vec<RunFolder>,
}

impl RunFolders {
    /// Looks at each path, and makes the run's folder there when the task writes. When one cannot be had, those that
    /// were made for this task are taken back.
    pub(crate) fn prepare(paths: &[PathBuf], layout: &Layout, intent: Intent, sync: SyncPolicy) -> Result<Self> {
        if paths.is_empty() {
            return Err(Error::new(Code::InvalidArgument, "a file sink has no folder", "give it at least one"));
        }
        let mut prepared = Self { layout: layout.clone(), intent, folders: Vec::with_capacity(paths.len()) };
        for path in paths {
            match Target::prepare(path, intent, sync) {
                Ok(Target { run, made }) => prepared.folders.push(RunFolder {
                    path: path.clone(),
                    open: Mutex::new(run),
                    made,
                    numbered: Mutex::default(),
                }),
                Err(error) => {
                    prepared.unprepare();
                    return Err(error);
                }
            }
        }
        Ok(prepared)
    }

    /// Takes back what [`RunFolders::prepare`] did, for a task that did not come to be.
    pub(crate) fn unprepare(&self) {
        for folder in self.folders.iter().filter(|folder| folder.made) {
            let _ = remove_run_folder(&folder.path);
        }
    }

    /// Lets go of the folders.
    pub(crate) fn close(&self) {
        for folder in &self.folders {
            lock(&folder.open).take();
        }
    }

    fn home_of(&self, object: u64) -> &RunFolder {
        &self.folders[(object % self.folders.len() as u64) as usize]
    }

    /// Where an object is.
    pub(crate) fn path_of(&self, object: u64) -> PathBuf {
        self.home_of(object).path.join(self.layout.name_of(object))
    }

    /// The open folder that an object is in; a task that writes makes it. `None`: it is not there.
    pub(crate) fn folder_of(&self, object: u64) -> Result<Option<Arc<Folder>>> {
        self.folder(self.home_of(object), self.layout.folder_of(object))
    }

    /// The open folder of this number, or the run's own, in each path in which it is.
    pub(crate) fn in_all_paths(&self, number: Option<u64>) -> impl Iterator<Item = Result<Option<Arc<Folder>>>> {
        self.folders.iter().map(move |home| self.folder(home, number))
    }

    /// The directory of this number in a tree, which lies in the first path.
    pub(crate) fn directory(&self, number: Option<u64>) -> Result<Option<Arc<Folder>>> {
        self.folder(&self.folders[0], number)
    }

    fn folder(&self, home: &RunFolder, number: Option<u64>) -> Result<Option<Arc<Folder>>> {
        let Some(run) = lock(&home.open).clone() else { return Ok(None) };
        match number {
            None => Ok(Some(run)),
            Some(number) => home.numbered(run, number, &self.layout, self.intent),
        }
    }

    /// Where a folder is, in the first path.
    pub(crate) fn path_of_folder(&self, number: Option<u64>) -> PathBuf {
        let run = &self.folders[0].path;
        number.map_or_else(|| run.clone(), |number| run.join(self.layout.folder_path(number)))
    }

    /// Removes the numbered folder in each path if it is empty there.
    pub(crate) fn remove_numbered(&self, number: u64) -> Result<()> {
        let name = self.layout.folder_name(number);
        for folder in &self.folders {
            let Some(run) = lock(&folder.open).clone() else { continue };
            remove_empty(&run, &name, || folder.path.join(&*name))?;
        }
        Ok(())
    }

    /// Removes a directory of a tree if it is empty, and then those that it lies in, as far up as they are: whoever removes
    /// the last of what lies in one finds it so. Gives how many there were.
    pub(crate) fn remove_directory(&self, number: u64) -> Result<u64> {
        let (mut next, mut removed) = (Some(number), 0);
        while let Some(number) = next {
            next = self.layout.parent_of_folder(number);
            let Some(parent) = self.directory(next)? else { continue };
            let name = self.layout.folder_name(number);
            match remove_empty(&parent, &name, || self.path_of_folder(Some(number)))? {
                Emptied::Removed => removed += 1,
                // Whoever removed it may not have come to the one above.
                Emptied::Absent => {}
                Emptied::Held => break,
            }
        }
        Ok(removed)
    }
}

/// What became of a folder that was to go if it is empty.
enum Emptied {
    Removed,
    Absent,
    /// Something is in it.
    Held,
}

/// Removes a folder if it is empty.
fn remove_empty(parent: &Folder, name: &str, path: impl FnOnce() -> PathBuf) -> Result<Emptied> {
    match unlinkat(parent.fd(), name, AtFlags::REMOVEDIR) {
        Ok(()) => Ok(Emptied::Removed),
        Err(Errno::NOENT) => Ok(Emptied::Absent),
        Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(Emptied::Held),
        Err(errno) => Err(os_error("remove the folder", &path(), errno)),
    }
}

impl RunFolder {
    fn numbered(&self, run: Arc<Folder>, number: u64, layout: &Layout, intent: Intent) -> Result<Option<Arc<Folder>>> {
        if let Some(folder) = lock(&self.numbered).get(&number).and_then(Weak::upgrade) {
            return Ok(Some(folder));
        }
        // Not under the lock: a file server may take its time. Two lanes may do this at once, and both are right.
        let parent = match layout.parent_of_folder(number) {
            None => run,
            Some(parent) => match self.numbered(run, parent, layout, intent)? {
                Some(parent) => parent,
                None => return Ok(None),
            },
        };
        let (name, path) = (layout.folder_name(number), self.path.join(layout.folder_path(number)));
        if intent == Intent::Write {
            match mkdirat(parent.fd(), &*name, FOLDER_MODE) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(os_error("make the folder", &path, errno)),
            }
        }
        match Folder::open(parent.fd(), Path::new(&*name), &path, Some(Arc::clone(&parent))) {
            Ok(folder) => {
                let folder = Arc::new(folder);
                let mut numbered = lock(&self.numbered);
                numbered.retain(|_, folder| folder.strong_count() > 0);
                numbered.insert(number, Arc::downgrade(&folder));
                Ok(Some(folder))
            }
            Err(Errno::NOENT) if intent != Intent::Write => Ok(None),
            Err(errno) => Err(os_error("open the folder", &path, errno)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Paths for a test, which are removed when it is through.
    fn with_paths(name: &str, test: impl FnOnce(&[PathBuf])) {
        let parent = std::env::temp_dir().join(format!("seedstorm-paths-{}-{name}", std::process::id()));
        let paths: Vec<PathBuf> = ["a", "b", "c"].iter().map(|path| parent.join(path).join("run-1")).collect();
        for path in &paths {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        }
        test(&paths);
        std::fs::remove_dir_all(&parent).unwrap();
    }

    #[test]
    fn every_object_lies_whole_in_one_path_and_the_paths_have_equal_shares() {
        with_paths("shares", |paths| {
            let layout = Layout::new(4096, 9, 1).unwrap();
            let folders = RunFolders::prepare(paths, &layout, Intent::Write, SyncPolicy::Never).unwrap();
            for object in 0..9 {
                let home = &paths[object as usize % 3];
                assert_eq!(folders.path_of(object), home.join(layout.name_of(object)));
                assert_eq!(folder_of_object(paths, object), Some(home));
            }
        });
    }

    #[test]
    fn a_path_that_cannot_be_used_leaves_no_folder_behind_in_the_others() {
        with_paths("refused", |paths| {
            std::fs::remove_dir(paths[2].parent().unwrap()).unwrap();
            let layout = Layout::new(4096, 9, 1).unwrap();
            let error = RunFolders::prepare(paths, &layout, Intent::Write, SyncPolicy::Never).unwrap_err();
            assert_eq!(error.code, Code::TargetMissing);
            assert!(!paths[0].exists() && !paths[1].exists());
        });
    }

    #[test]
    fn numbered_folders_are_removed_in_every_path_but_not_with_something_in_them() {
        with_paths("numbered", |paths| {
            let layout = Layout::new(4096, 3000, 1).unwrap();
            let folders = RunFolders::prepare(paths, &layout, Intent::Write, SyncPolicy::Never).unwrap();
            for object in 0..3 {
                assert!(folders.folder_of(object).unwrap().is_some());
            }
            let strange = paths[1].join("d00000").join("strange");
            std::fs::write(&strange, "").unwrap();
            folders.remove_numbered(0).unwrap();
            assert!(!paths[0].join("d00000").exists() && !paths[2].join("d00000").exists());
            assert!(strange.exists());
        });
    }
}
