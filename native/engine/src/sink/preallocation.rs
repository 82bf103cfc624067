//! Room for an object before its first byte, by fallocate where that is real. Never emulated by writing zeros: a file
//! system that cannot do it says so, and so do we. Must never know what is written there.

use std::os::fd::AsFd;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use rustix::fs::{FallocateFlags, fallocate, fstat};
use rustix::io::Errno;

use super::os_error::{os_error, text};
use crate::clock::now_ns;
use crate::error::{Code, Error, Result};
use crate::named::named;

named! {
    /// What the plan wants of preallocation.
    Preallocate {
        /// None: files grow as they are written.
        #[default]
        No => "false",
        /// Where the file system can; elsewhere a note.
        Auto => "auto",
        /// Or an error.
        Yes => "true",
    }
}

/// What was preallocated so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Preallocated {
    /// Objects.
    pub objects: u64,
    /// Time that it took, summed over the lanes, in ns. It is in no service time.
    pub spent_ns: u64,
}

/// Preallocation in one task.
#[derive(Debug)]
pub(crate) struct Preallocation {
    wanted: Preallocate,
    refused: AtomicBool,
    note: OnceLock<String>,
    objects: AtomicU64,
    spent_ns: AtomicU64,
}

impl Preallocation {
    pub(crate) fn new(wanted: Preallocate) -> Self {
        Self {
            wanted,
            refused: AtomicBool::new(false),
            note: OnceLock::new(),
            objects: AtomicU64::new(0),
            spent_ns: AtomicU64::new(0),
        }
    }

    /// Makes room for an object that was just opened, unless it is as long already: then it has been made, or written.
    ///
    /// # Errors
    /// [`Code::DiskFull`] when there is no room; [`Code::PreallocateRefused`] when the plan insists and the file system
    /// cannot do it.
    pub(crate) fn make(&self, fd: impl AsFd, path: &Path, bytes: u64) -> Result<()> {
        if self.wanted == Preallocate::No || self.refused.load(Relaxed) {
            return Ok(());
        }
        let status = fstat(&fd).map_err(|errno| os_error("stat", path, errno))?;
        if u64::try_from(status.st_size).is_ok_and(|length| length >= bytes) {
            return Ok(());
        }
        let start_ns = now_ns();
        let outcome = loop {
            match fallocate(&fd, FallocateFlags::empty(), 0, bytes) {
                Err(Errno::INTR) => {}
                outcome => break outcome,
            }
        };
        self.spent_ns.fetch_add(now_ns() - start_ns, Relaxed);
        match outcome {
            Ok(()) => {
                self.objects.fetch_add(1, Relaxed);
                Ok(())
            }
            Err(errno @ (Errno::OPNOTSUPP | Errno::NOSYS)) => self.refused(path, errno),
            Err(errno) => Err(os_error(&format!("preallocate {bytes} bytes for"), path, errno)),
        }
    }

    fn refused(&self, path: &Path, errno: Errno) -> Result<()> {
        let what = format!("the file system of {} cannot preallocate ({})", path.display(), text(errno));
        if self.wanted == Preallocate::Yes {
            return Err(Error::new(Code::PreallocateRefused, what, "set preallocate to auto or false"));
        }
        self.refused.store(true, Relaxed);
        self.note.get_or_init(|| format!("{what}: files grow as they are written"));
        Ok(())
    }

    /// What was preallocated so far.
    pub(crate) fn done(&self) -> Preallocated {
        Preallocated { objects: self.objects.load(Relaxed), spent_ns: self.spent_ns.load(Relaxed) }
    }

    /// What could not be done, to be shown.
    pub(crate) fn note(&self) -> Option<&str> {
        self.note.get().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn room_is_there_before_the_first_byte_and_is_not_made_twice() {
        let path = std::env::temp_dir().join(format!("seedstorm-preallocate-{}", std::process::id()));
        let file = std::fs::File::create(&path).unwrap();
        let preallocation = Preallocation::new(Preallocate::Auto);
        preallocation.make(&file, &path, 1 << 20).unwrap();
        let status = file.metadata().unwrap();
        std::fs::remove_file(&path).unwrap();
        // A file system of temporary files that cannot do it must have said so.
        if preallocation.note().is_none() {
            assert_eq!(status.len(), 1 << 20);
            assert!(status.blocks() * 512 >= 1 << 20, "really allocated, no hole");
            preallocation.make(&file, &path, 1 << 20).unwrap();
            assert_eq!(preallocation.done().objects, 1);
        }
    }

    #[test]
    fn a_file_system_that_cannot_is_an_error_where_the_plan_insists_and_a_note_where_not() {
        let refuse = |wanted| {
            let preallocation = Preallocation::new(wanted);
            (preallocation.refused(Path::new("/t/f00000000"), Errno::OPNOTSUPP), preallocation)
        };
        let (outcome, _) = refuse(Preallocate::Yes);
        assert_eq!(outcome.unwrap_err().code, Code::PreallocateRefused);
        let (outcome, preallocation) = refuse(Preallocate::Auto);
        outcome.unwrap();
        assert!(preallocation.note().unwrap().contains("/t/f00000000"));
    }

    #[test]
    fn nothing_is_preallocated_when_nobody_asked() {
        let path = std::env::temp_dir().join(format!("seedstorm-no-preallocate-{}", std::process::id()));
        let file = std::fs::File::create(&path).unwrap();
        Preallocation::new(Preallocate::No).make(&file, &path, 1 << 20).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 0);
        std::fs::remove_file(&path).unwrap();
    }
}
