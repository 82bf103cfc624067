//! The target of the file sink before a task begins and after it ended: is the folder that the user named there and
//! writable, and is the run's own folder in it. Must never look at what is in the run's folder.

use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Access, AtFlags, CWD, FileType, Mode, accessat, mkdir, rmdir, stat};
use rustix::io::Errno;

use super::SyncPolicy;
use super::folder::Folder;
use super::os_error::{os_error, text};
use crate::error::{Code, Error, Result};

/// Rights of the folders that a run makes: rwxr-xr-x.
pub(crate) const FOLDER_MODE: Mode = Mode::RWXU.union(Mode::RGRP).union(Mode::XGRP).union(Mode::ROTH).union(Mode::XOTH);

/// What a task is going to do to its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intent {
    /// Make and write them, and the numbered folders that they are in.
    Write,
    /// Read them and write over them where they are.
    Change,
    /// Make them in folders that are there, or these folders.
    Make,
    /// Read them.
    Read,
    /// Remove them.
    Remove,
}

impl Intent {
    /// Whether their bytes change.
    pub(crate) fn writes(self) -> bool {
        matches!(self, Self::Write | Self::Change)
    }

    /// Whether the run's folder is made where it is not there.
    fn makes(self) -> bool {
        matches!(self, Self::Write | Self::Make)
    }
}

/// A target that can be used.
#[derive(Debug)]
pub(crate) struct Target {
    /// The run's folder; none when it is not there and the task does not write.
    pub(crate) run: Option<Arc<Folder>>,
    /// Whether the run's folder was made just now.
    pub(crate) made: bool,
}

impl Target {
    /// Looks at the target, and makes the run's folder `folder` in it when the task writes.
    pub(crate) fn prepare(folder: &Path, intent: Intent, sync: SyncPolicy) -> Result<Self> {
        let target = parent_of(folder)?;
        look_at(target)?;
        if !intent.makes() {
            return match Folder::open(CWD, folder, folder, None) {
                Ok(run) => Ok(Self { run: Some(Arc::new(run)), made: false }),
                Err(Errno::NOENT) => Ok(Self { run: None, made: false }),
                Err(errno) => Err(run_folder_error(folder, errno)),
            };
        }
        let made = make(folder, target)?;
        let opened = Self::open_to_write(folder, target, sync);
        if opened.is_err() && made {
            let _ = rmdir(folder);
        }
        Ok(Self { run: Some(Arc::new(opened?)), made })
    }

    fn open_to_write(folder: &Path, target: &Path, sync: SyncPolicy) -> Result<Folder> {
        let named_by = if sync == SyncPolicy::Never {
            None
        } else {
            let target = Folder::open_followed(target).map_err(|errno| {
                let why = format!("it cannot be opened to make names in it durable: {}", text(errno));
                not_writable(target, &why)
            })?;
            Some(Arc::new(target))
        };
        let run = Folder::open(CWD, folder, folder, named_by).map_err(|errno| run_folder_error(folder, errno))?;
        accessat(run.fd(), "", Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS | AtFlags::EMPTY_PATH).or_else(
            |errno| match errno {
                // Kernels before 5.8 know no flags of access(): the first write will tell.
                Errno::NOSYS | Errno::INVAL => Ok(()),
                errno => Err(not_writable(folder, &text(errno))),
            },
        )?;
        Ok(run)
    }
}

fn parent_of(folder: &Path) -> Result<&Path> {
    match (folder.parent(), folder.file_name()) {
        (Some(parent), Some(_)) if parent.as_os_str().is_empty() => Ok(Path::new(".")),
        (Some(parent), Some(_)) => Ok(parent),
        _ => Err(Error::new(
            Code::InvalidArgument,
            format!("{} is no folder inside a target", folder.display()),
            "give each run a folder of its own below the target's path",
        )),
    }
}

/// The folder that the user named: symbolic links in its path are the user's own and are followed.
fn look_at(target: &Path) -> Result<()> {
    match stat(target) {
        Ok(status) if FileType::from_raw_mode(status.st_mode).is_dir() => Ok(()),
        Ok(_) => Err(not_writable(target, "it is not a folder")),
        Err(Errno::NOENT | Errno::NOTDIR) => Err(Error::new(
            Code::TargetMissing,
            format!("the target {} does not exist", target.display()),
            "make the folder, mount the file system, or mend the path in the plan",
        )),
        Err(errno) => Err(os_error("look at the target", target, errno)),
    }
}

/// Makes the run's folder; `false` when it was there: another agent of the same run may have made it.
fn make(folder: &Path, target: &Path) -> Result<bool> {
    match mkdir(folder, FOLDER_MODE) {
        Ok(()) => Ok(true),
        Err(Errno::EXIST) => Ok(false),
        Err(errno @ (Errno::ACCESS | Errno::PERM | Errno::ROFS)) => Err(not_writable(target, &text(errno))),
        Err(errno) => Err(os_error("make the folder", folder, errno)),
    }
}

fn run_folder_error(folder: &Path, errno: Errno) -> Error {
    match errno {
        Errno::NOTDIR | Errno::LOOP => not_writable(folder, "it is a symbolic link or not a folder"),
        errno => os_error("open the folder", folder, errno),
    }
}

fn not_writable(path: &Path, why: &str) -> Error {
    Error::new(
        Code::TargetNotWritable,
        format!("the target {} cannot be written to: {why}", path.display()),
        "give this user the right to write to it, or choose another target",
    )
}

/// Removes a run's folder if it is empty. `Ok(true)`: it is gone, or was not there; `Ok(false)`: something is in it.
///
/// # Errors
/// [`Code::TargetNotWritable`] or [`Code::Io`] when the system refuses for any other reason.
pub fn remove_run_folder(folder: &Path) -> Result<bool> {
    match rmdir(folder) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
        Err(errno) => Err(os_error("remove the folder", folder, errno)),
    }
}
