//! One open object of the file or the block sink: positioned reads and writes of whole blocks, sync and close. Must never
//! know of units, ranges or lanes.

use std::ops::Range;
use std::os::fd::{IntoRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl, fstat, fsync};
use rustix::io::{Errno, pread, pwrite};

use super::direct::DirectUse;
use super::folder::{Folder, NameMade};
use super::os_error::os_error;
use crate::error::{Code, Error, Result};

/// The alignment that every O_DIRECT file system is content with. A write that was cut short goes on from a multiple
/// of it; the few bytes before are written again, with the same content.
const DIRECT_ALIGN: usize = 4096;

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

    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// [`Code::DiskFull`], [`Code::DirectRefused`], else [`Code::Io`]; the message says how much of it was written.
    pub(crate) fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let offset = self.position(offset);
        let mut written = 0;
        let mut stuck = false;
        while written < bytes.len() {
            match pwrite(&self.fd, &bytes[written..], offset + written as u64) {
                Ok(count) => {
                    let reached = written + count;
                    let next = if reached == bytes.len() { reached } else { reached - reached % DIRECT_ALIGN };
                    // Two calls in a row that bring nothing further would be the start of an endless loop.
                    if next <= written && std::mem::replace(&mut stuck, true) {
                        return Err(self.write_error(bytes.len(), offset, reached, Errno::IO));
                    }
                    stuck = stuck && next <= written;
                    written = next;
                }
                Err(Errno::INTR) => {}
                Err(errno) if self.fell_back(errno)? => {}
                Err(errno) => return Err(self.write_error(bytes.len(), offset, written, errno)),
            }
        }
        self.direct.worked();
        Ok(())
    }

    /// Reads into all of `into` from `offset`, and says how many bytes there were: fewer only at the file's end.
    ///
    /// # Errors
    /// [`Code::DirectRefused`], else [`Code::Io`].
    pub(crate) fn read_at(&self, into: &mut [u8], offset: u64) -> Result<usize> {
        let position = self.position(offset);
        let mut read = 0;
        while read < into.len() {
            match pread(&self.fd, &mut into[read..], position + read as u64) {
                Ok(0) => break,
                Ok(count) => {
                    read += count;
                    // To ask again from here would be refused for its alignment, if this is O_DIRECT.
                    let unaligned = read < into.len() && !read.is_multiple_of(DIRECT_ALIGN);
                    if unaligned && self.bytes()? <= offset + read as u64 {
                        break;
                    }
                }
                Err(Errno::INTR) => {}
                Err(errno) if self.fell_back(errno)? => {}
                Err(errno) => {
                    let what = format!("read {} bytes at offset {position} of", into.len());
                    return Err(os_error(&what, &self.path, errno));
                }
            }
        }
        self.direct.worked();
        Ok(read)
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
        let status = fstat(&self.fd).map_err(|errno| os_error("stat", &self.path, errno))?;
        Ok(u64::try_from(status.st_size).unwrap_or(0))
    }

    /// The open file, for those who ask about it.
    #[cfg(test)]
    pub(crate) fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// Where it is, for messages.
    pub(crate) fn path(&self) -> &std::path::Path {
        &self.path
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
}

/// What [`Code::ObjectMissing`] says of an object that is not there.
pub(crate) fn not_there(path: &std::path::Path) -> Error {
    Error::new(
        Code::ObjectMissing,
        format!("{} is not there", path.display()),
        "write the data before it is read, with the same layout",
    )
}

#[cfg(test)]
mod tests {
    use rustix::fs::{Mode, openat};

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

    fn is_direct(file: &ObjectFile) -> bool {
        fcntl_getfl(&file.fd).unwrap().contains(OFlags::DIRECT)
    }

    #[test]
    fn a_first_io_that_is_refused_for_direct_io_is_done_buffered_and_said_where_the_plan_allows() {
        with_file(Direct::Auto, |file| {
            let was_direct = is_direct(file);
            file.write_at(&[7; 100], 1).unwrap();
            let mut back = [0; 200];
            assert_eq!(file.read_at(&mut back, 1).unwrap(), 100);
            assert_eq!((back[0], back[99], back[100]), (7, 7, 0));
            assert_eq!(file.direct.note().is_some(), was_direct && !is_direct(file));
        });
    }

    #[test]
    fn a_first_io_that_is_refused_for_direct_io_is_an_error_where_the_plan_insists() {
        with_file(Direct::Yes, |file| {
            // Some file systems take any alignment: then there is nothing to refuse.
            if let Err(error) = file.write_at(&[7; 100], 1) {
                assert_eq!(error.code, Code::DirectRefused);
                assert!(is_direct(file), "nothing was changed behind the user's back");
            }
        });
    }

    #[test]
    fn a_read_past_the_end_says_how_much_there_was() {
        with_file(Direct::No, |file| {
            fcntl_setfl(&file.fd, OFlags::empty()).unwrap();
            file.write_at(&[7; 5000], 0).unwrap();
            let mut back = [0; 8192];
            assert_eq!(file.read_at(&mut back, 0).unwrap(), 5000);
            assert_eq!(file.read_at(&mut back, 4096).unwrap(), 904);
            assert_eq!(file.read_at(&mut back, 8192).unwrap(), 0);
            assert_eq!(file.bytes().unwrap(), 5000);
        });
    }
}
