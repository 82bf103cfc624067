//! Whether files are read and written past the page cache (O_DIRECT), and what happens when the file system refuses.
//! Must never know which file it is about: the answer is one for a task's whole target.

use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rustix::io::Errno;

use super::os_error::text;
use crate::error::{Code, Error};
use crate::named::named;

named! {
    /// What the plan wants of O_DIRECT.
    Direct {
        /// O_DIRECT, or buffered I/O with a note when the file system refuses it.
        #[default]
        Auto => "auto",
        /// O_DIRECT, or an error.
        Yes => "true",
        /// Buffered I/O.
        No => "false",
    }
}

/// What to do about an errno of an open or of an I/O that was tried with O_DIRECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Go on without O_DIRECT and say so.
    FallBack,
    /// The plan insists: an error.
    Insist,
    /// The errno is about something else.
    Unrelated,
}

/// Decides about an errno. `proven`: an I/O with O_DIRECT went well before, so an EINVAL now has another cause, and
/// falling back would hide it.
pub(crate) fn judge(wanted: Direct, proven: bool, errno: Errno) -> Refusal {
    let refused = matches!(errno, Errno::INVAL | Errno::OPNOTSUPP);
    match wanted {
        _ if !refused || proven => Refusal::Unrelated,
        Direct::No => Refusal::Unrelated,
        Direct::Auto => Refusal::FallBack,
        Direct::Yes => Refusal::Insist,
    }
}

/// The state of O_DIRECT in one task: wanted, proven or refused. Shared by all of the task's files.
#[derive(Debug)]
pub(crate) struct DirectUse {
    wanted: Direct,
    proven: AtomicBool,
    refused: AtomicBool,
    note: OnceLock<String>,
}

impl DirectUse {
    pub(crate) fn new(wanted: Direct) -> Self {
        Self { wanted, proven: AtomicBool::new(false), refused: AtomicBool::new(false), note: OnceLock::new() }
    }

    /// Whether a file that is opened now is opened with O_DIRECT.
    pub(crate) fn in_use(&self) -> bool {
        self.wanted != Direct::No && !self.refused.load(Relaxed)
    }

    /// An I/O with O_DIRECT went well. A load first: this is called for every block, and nearly always changes nothing.
    #[inline]
    pub(crate) fn worked(&self) {
        if !self.proven.load(Relaxed) {
            self.proven.store(true, Relaxed);
        }
    }

    /// Takes in an errno of an open or I/O on `path` that was tried with O_DIRECT. `Ok(true)`: try again without it.
    /// `Ok(false)`: the errno is about something else.
    ///
    /// # Errors
    /// [`Code::DirectRefused`] when the plan insists on O_DIRECT.
    pub(crate) fn refused(&self, path: &Path, errno: Errno) -> Result<bool, Error> {
        match judge(self.wanted, self.proven.load(Relaxed), errno) {
            Refusal::Unrelated => Ok(false),
            Refusal::FallBack => {
                self.refused.store(true, Relaxed);
                self.note.get_or_init(|| {
                    let (path, why) = (path.display(), text(errno));
                    format!("the file system of {path} refuses O_DIRECT ({why}): buffered I/O is used")
                });
                Ok(true)
            }
            Refusal::Insist => Err(Error::new(
                Code::DirectRefused,
                format!("the file system of {} refuses O_DIRECT: {}", path.display(), text(errno)),
                "set direct to auto or false, choose a block size that is a multiple of 4096, or another file system",
            )),
        }
    }

    /// What fell back, to be shown.
    pub(crate) fn note(&self) -> Option<&str> {
        self.note.get().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_auto_falls_back_and_only_when_the_file_system_refuses() {
        for errno in [Errno::INVAL, Errno::OPNOTSUPP] {
            assert_eq!(judge(Direct::Auto, false, errno), Refusal::FallBack);
            assert_eq!(judge(Direct::Yes, false, errno), Refusal::Insist);
            assert_eq!(judge(Direct::No, false, errno), Refusal::Unrelated);
        }
        for errno in [Errno::IO, Errno::NOSPC, Errno::ACCESS, Errno::NOENT] {
            for wanted in [Direct::Auto, Direct::Yes, Direct::No] {
                assert_eq!(judge(wanted, false, errno), Refusal::Unrelated);
            }
        }
    }

    #[test]
    fn an_error_after_direct_io_has_worked_is_not_hidden_by_falling_back() {
        let direct = DirectUse::new(Direct::Auto);
        direct.worked();
        assert_eq!(direct.refused(Path::new("/t/f00000000"), Errno::INVAL), Ok(false));
        assert!(direct.in_use());
        assert_eq!(direct.note(), None);
    }

    #[test]
    fn falling_back_is_said_once_and_holds_for_the_files_that_follow() {
        let direct = DirectUse::new(Direct::Auto);
        assert_eq!(direct.refused(Path::new("/t/f00000000"), Errno::INVAL), Ok(true));
        assert_eq!(direct.refused(Path::new("/t/f00000001"), Errno::INVAL), Ok(true));
        assert!(!direct.in_use());
        let note = direct.note().unwrap();
        assert!(note.contains("/t/f00000000") && note.contains("Invalid argument"), "{note}");
    }

    #[test]
    fn a_refusal_that_the_plan_forbids_is_an_error_with_its_own_code() {
        let error = DirectUse::new(Direct::Yes).refused(Path::new("/t/f00000000"), Errno::INVAL).unwrap_err();
        assert_eq!(error.code, Code::DirectRefused);
    }
}
