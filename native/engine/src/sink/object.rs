//! One open object of the file or the block sink: what answers of the system to reads and writes mean, sync and close. Must never
//! know of units, ranges or lanes, nor do the reads and writes itself.

use std::ops::Range;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl, fstat, fsync};
use rustix::io::{Errno, pread};

use super::direct::DirectUse;
use super::folder::{Folder, NameMade};
use super::os_error::os_error;
use crate::error::{Code, Error, ErrorKind, Result};

/// The alignment that every O_DIRECT file system is content with. A write that was cut short goes on from a multiple
/// of it; the few bytes before are written again, with the same content.
const DIRECT_ALIGN: usize = 4096;

/// How far one I/O has come that the system does in parts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    moved: usize,
    stuck: bool,
}

impl Progress {
    /// Bytes that need not be asked for again.
    pub(crate) fn moved(self) -> usize {
        self.moved
    }
}

/// What follows on an answer of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// That was all: so many bytes.
    Done(usize),
    /// The rest is to be asked for again.
    Again,
}

/// An open object. Lanes share it; dropping it closes it without looking at the answer, [`ObjectFile::close`] looks.
#[derive(Debug)]
pub(crate) struct ObjectFile {
    fd: OwnedFd,
    path: PathBuf,
    /// Its name, which is made durable with it; a device has none that we made.
    name: Option<(Arc<Folder>, NameMade)>,
    /// The part of a device that it is; `None`: it is all of a file.
    part: Option<Range<u64>>,
    direct: Arc<DirectUse>,
    /// The first failed sync. Kept, because Linux reports a failed write-back to one fsync only: the next would
    /// succeed although the data is gone.
    sync_failed: OnceLock<Error>,
}

impl ObjectFile {
    pub(crate) fn new(fd: OwnedFd, path: PathBuf, folder: Arc<Folder>, direct: Arc<DirectUse>) -> Self {
        let name = folder.name_made();
        Self { fd, path, name: Some((folder, name)), part: None, direct, sync_failed: OnceLock::new() }
    }

    /// A part of an open block device, in bytes of the device.
    pub(crate) fn on_device(fd: OwnedFd, path: PathBuf, part: Range<u64>, direct: Arc<DirectUse>) -> Self {
        Self { fd, path, name: None, part: Some(part), direct, sync_failed: OnceLock::new() }
    }

    /// Where in the open file an offset of the object is: what I/O that goes to the file itself must use.
    #[inline]
    pub(crate) fn position(&self, offset: u64) -> u64 {
        self.part.as_ref().map_or(offset, |part| part.start + offset)
    }

    /// What follows when a write or a read of the rest of `wanted` bytes at `offset` was answered with `outcome`. What it says
    /// when a read is done is fewer only at the file's end.
    ///
    /// # Errors
    /// [`Code::DiskFull`], [`Code::DirectRefused`], else [`Code::Io`]; of a write the message says how much was written.
    #[inline]
    pub(crate) fn answered(
        &self,
        writes: bool,
        wanted: usize,
        offset: u64,
        progress: &mut Progress,
        outcome: std::result::Result<usize, Errno>,
    ) -> Result<Step> {
        if outcome == Ok(wanted) {
            self.direct.worked();
            return Ok(Step::Done(wanted));
        }
        if writes {
            self.written_in_part(wanted, offset, progress, outcome)
        } else {
            self.read_in_part(wanted, offset, progress, outcome)
        }
    }

    #[cold]
    fn written_in_part(
        &self,
        wanted: usize,
        offset: u64,
        progress: &mut Progress,
        outcome: std::result::Result<usize, Errno>,
    ) -> Result<Step> {
        match outcome {
            Ok(count) => {
                let reached = progress.moved + count;
                if reached == wanted {
                    self.direct.worked();
                    return Ok(Step::Done(wanted));
                }
                let next = reached - reached % DIRECT_ALIGN;
                // Two answers in a row that bring nothing further would be the start of an endless loop.
                let is_stuck = next <= progress.moved;
                if is_stuck && progress.stuck {
                    return Err(self.write_error(wanted, self.position(offset), reached, Errno::IO));
                }
                *progress = Progress { moved: next, stuck: is_stuck };
                Ok(Step::Again)
            }
            Err(Errno::INTR | Errno::AGAIN) => Ok(Step::Again),
            Err(errno) if self.fell_back(errno)? => Ok(Step::Again),
            Err(errno) => Err(self.write_error(wanted, self.position(offset), progress.moved, errno)),
        }
    }

    #[cold]
    fn read_in_part(
        &self,
        wanted: usize,
        offset: u64,
        progress: &mut Progress,
        outcome: std::result::Result<usize, Errno>,
    ) -> Result<Step> {
        match outcome {
            Ok(count) => {
                let read = progress.moved + count;
                progress.moved = read;
                // To ask again from here would be refused for its alignment, if this is O_DIRECT.
                let is_unaligned = read < wanted && !read.is_multiple_of(DIRECT_ALIGN);
                if count == 0 || read == wanted || is_unaligned && self.bytes()? <= offset + read as u64 {
                    self.direct.worked();
                    return Ok(Step::Done(read));
                }
                Ok(Step::Again)
            }
            Err(Errno::INTR | Errno::AGAIN) => Ok(Step::Again),
            Err(errno) if self.fell_back(errno)? => Ok(Step::Again),
            Err(errno) => {
                let what = format!("read {wanted} bytes at offset {} of", self.position(offset));
                Err(os_error(&what, &self.path, errno))
            }
        }
    }

    /// Takes O_DIRECT off this file when the errno says that the file system refuses it and the plan allows that.
    #[cold]
    fn fell_back(&self, errno: Errno) -> Result<bool> {
        let Ok(flags) = fcntl_getfl(&self.fd) else { return Ok(false) };
        if !flags.contains(OFlags::DIRECT) || !self.direct.refused(&self.path, errno)? {
            return Ok(false);
        }
        Ok(fcntl_setfl(&self.fd, flags - OFlags::DIRECT).is_ok())
    }

    fn write_error(&self, wanted: usize, offset: u64, written: usize, errno: Errno) -> Error {
        let mut error = os_error(&format!("write {wanted} bytes at offset {offset} of"), &self.path, errno);
        if written > 0 {
            error.what.push_str(&format!(" (after {written} of them)"));
        }
        error
    }

    /// Reads into all of `into`, with calls that block. What it says is fewer only at the file's end.
    ///
    /// # Errors
    /// [`Code::Io`].
    pub(crate) fn read_whole(&self, into: &mut [u8], offset: u64) -> Result<usize> {
        let (mut progress, wanted) = (Progress::default(), into.len());
        loop {
            let at = self.position(offset) + progress.moved as u64;
            let outcome = pread(&self.fd, &mut into[progress.moved..], at);
            if let Step::Done(got) = self.answered(false, wanted, offset, &mut progress, outcome)? {
                return Ok(got);
            }
        }
    }

    /// Makes the object's bytes and its name durable.
    ///
    /// # Errors
    /// Once this failed, it fails for ever with the same error.
    pub(crate) fn sync(&self) -> Result<()> {
        if let Some(error) = self.sync_failed.get() {
            return Err(error.clone());
        }
        let outcome = match fsync(&self.fd) {
            Ok(()) => self.name_durable(),
            Err(errno) => Err(os_error("sync", &self.path, errno)),
        };
        if let Err(error) = &outcome {
            let _ = self.sync_failed.set(error.clone());
        }
        outcome
    }

    /// Makes the object's name durable; for writes that are durable each by itself (O_DSYNC).
    pub(crate) fn name_durable(&self) -> Result<()> {
        self.name.as_ref().map_or(Ok(()), |(folder, name)| folder.make_durable(*name))
    }

    /// The object's length, in bytes.
    pub(crate) fn bytes(&self) -> Result<u64> {
        if let Some(part) = &self.part {
            return Ok(part.end - part.start);
        }
        let status = fstat(&self.fd).map_err(|errno| os_error("read the length of", &self.path, errno))?;
        Ok(u64::try_from(status.st_size).unwrap_or(0))
    }

    /// The open file, for those who ask about it.
    #[cfg(test)]
    pub(crate) fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// The open file, for the lanes' I/O.
    pub(crate) fn raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// Closes the object. Network file systems write back on close and answer with the errors of that.
    pub(crate) fn close(self) -> Result<()> {
        // SAFETY: the fd is owned by self, which is gone after this; Linux frees it whatever close answers, so it is
        // not closed again.
        if unsafe { libc::close(self.fd.into_raw_fd()) } == 0 {
            return Ok(());
        }
        match Errno::from_io_error(&std::io::Error::last_os_error()) {
            None | Some(Errno::INTR) => Ok(()),
            Some(errno) => Err(os_error("close", &self.path, errno)),
        }
    }
}

/// What [`Code::ObjectMissing`] says of an object that ends before what was wanted of it.
pub(crate) fn too_short(path: &std::path::Path, offset: u64, wanted: usize, got: usize) -> Error {
    Error::new(
        Code::ObjectMissing,
        format!("{} is too short: wanted {wanted} bytes at offset {offset}, got {got}", path.display()),
        "write the data before it is read, with the same layout",
    )
    .about(ErrorKind::Missing, path)
}

/// What [`Code::ObjectMissing`] says of an object that is not there.
pub(crate) fn not_there(path: &std::path::Path) -> Error {
    Error::new(
        Code::ObjectMissing,
        format!("{} is not there", path.display()),
        "write the data before it is read, with the same layout",
    )
    .about(ErrorKind::Missing, path)
}

#[cfg(test)]
mod tests {
    use rustix::fs::{Mode, openat};
    use rustix::io::pwrite;

    use super::*;
    use crate::sink::direct::Direct;

    /// A file that is opened with O_DIRECT, where the file system of temporary files knows that.
    fn with_file(direct: Direct, test: impl FnOnce(&ObjectFile)) {
        let path = std::env::temp_dir().join(format!("seedstorm-object-{}-{direct:?}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        let folder = Arc::new(Folder::open_followed(&path).unwrap());
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC;
        let open = |flags| openat(folder.fd(), "f", flags, Mode::RUSR | Mode::WUSR);
        let fd = open(flags | OFlags::DIRECT).or_else(|_| open(flags)).unwrap();
        let direct = Arc::new(DirectUse::new(direct));
        test(&ObjectFile::new(fd, path.join("f"), Arc::clone(&folder), direct));
        std::fs::remove_dir_all(&path).unwrap();
    }

    /// Writes as a lane does that has one block in flight.
    fn write_at(file: &ObjectFile, bytes: &[u8], offset: u64) -> Result<()> {
        let mut progress = Progress::default();
        loop {
            let outcome = pwrite(&file.fd, &bytes[progress.moved..], offset + progress.moved as u64);
            if file.answered(true, bytes.len(), offset, &mut progress, outcome)? != Step::Again {
                return Ok(());
            }
        }
    }

    fn is_direct(file: &ObjectFile) -> bool {
        fcntl_getfl(&file.fd).unwrap().contains(OFlags::DIRECT)
    }

    #[test]
    fn a_first_io_that_is_refused_for_direct_io_is_done_buffered_and_said_where_the_plan_allows() {
        with_file(Direct::Auto, |file| {
            let was_direct = is_direct(file);
            write_at(file, &[7; 100], 1).unwrap();
            let mut back = [0; 200];
            assert_eq!(file.read_whole(&mut back, 1).unwrap(), 100);
            assert_eq!((back[0], back[99], back[100]), (7, 7, 0));
            assert_eq!(file.direct.note().is_some(), was_direct && !is_direct(file));
        });
    }

    #[test]
    fn a_first_io_that_is_refused_for_direct_io_is_an_error_where_the_plan_insists() {
        with_file(Direct::Yes, |file| {
            // Some file systems take any alignment: then there is nothing to refuse.
            if let Err(error) = write_at(file, &[7; 100], 1) {
                assert_eq!(error.code, Code::DirectRefused);
                assert!(is_direct(file), "nothing was changed behind the user's back");
            }
        });
    }

    #[test]
    fn a_read_past_the_end_says_how_much_there_was() {
        with_file(Direct::No, |file| {
            fcntl_setfl(&file.fd, OFlags::empty()).unwrap();
            write_at(file, &[7; 5000], 0).unwrap();
            let mut back = [0; 8192];
            assert_eq!(file.read_whole(&mut back, 0).unwrap(), 5000);
            assert_eq!(file.read_whole(&mut back, 4096).unwrap(), 904);
            assert_eq!(file.read_whole(&mut back, 8192).unwrap(), 0);
            assert_eq!(file.bytes().unwrap(), 5000);
        });
    }
}
