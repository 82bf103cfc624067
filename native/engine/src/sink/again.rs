//! A second look at an object: opened anew and read past the page cache, so that what the storage holds answers and not
//! what this host remembers. Must never know what the bytes mean, and never writes.

use std::ops::Range;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::fs::{Advice, CWD, Mode, OFlags, fadvise, fcntl_getfl, fcntl_setfl, fstat, openat};
use rustix::io::{Errno, pread};

use super::block::BlockSink;
use super::file::FileSink;
use super::objects::ObjectSink;
use super::os_error::os_error;
use crate::error::Result;

/// What every O_DIRECT file system is content with, for the memory as for the offset.
const ALIGN: u64 = 4096;

/// A byte that memory holds before it is read into: what was not delivered must not look like zeros.
const UNREAD: u8 = 0xDB;

/// An object that was opened anew.
#[derive(Debug)]
pub(crate) struct AgainFile {
    fd: OwnedFd,
    path: PathBuf,
    /// The part of a device that it is; `None`: it is all of a file.
    part: Option<Range<u64>>,
}

impl ObjectSink {
    /// Opens an object anew. `None`: it is not there.
    pub(crate) fn open_again(&self, object: u64) -> Result<Option<AgainFile>> {
        match self {
            Self::Files(files) => files.open_again(object),
            Self::Device(device) => device.open_again().map(Some),
        }
    }
}

impl BlockSink {
    fn open_again(&self) -> Result<AgainFile> {
        let path = self.path();
        let flags = OFlags::RDONLY | OFlags::DIRECT | OFlags::CLOEXEC;
        let fd = openat(CWD, path, flags, Mode::empty()).map_err(|errno| os_error("open", path, errno))?;
        Ok(AgainFile { fd, path: path.to_owned(), part: Some(self.part()) })
    }
}

impl FileSink {
    /// With O_DIRECT where the file system takes it, whatever the plan says.
    fn open_again(&self, object: u64) -> Result<Option<AgainFile>> {
        let Some(folder) = self.folder_of(object)? else { return Ok(None) };
        let path = self.path_of(object);
        let name = self.name_of(object);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = |more| openat(folder.fd(), &*name, flags | more, Mode::empty());
        let opened = match open(OFlags::DIRECT) {
            Err(Errno::INVAL | Errno::OPNOTSUPP) => open(OFlags::empty()),
            other => other,
        };
        match opened {
            Ok(fd) => Ok(Some(AgainFile { fd, path, part: None })),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(os_error("open", &path, errno)),
        }
    }
}

impl AgainFile {
    /// Its length, in bytes.
    pub(crate) fn bytes(&self) -> Result<u64> {
        if let Some(part) = &self.part {
            return Ok(part.end - part.start);
        }
        let status = fstat(&self.fd).map_err(|errno| os_error("read the length of", &self.path, errno))?;
        Ok(u64::try_from(status.st_size).unwrap_or(0))
    }

    /// Whether it is read directly; otherwise the page cache is asked to forget each place before it is read.
    pub(crate) fn is_direct(&self) -> bool {
        fcntl_getfl(&self.fd).is_ok_and(|flags| flags.contains(OFlags::DIRECT))
    }

    /// The bytes from `offset` on, `length` of them or fewer at the file's end, in memory of their own.
    pub(crate) fn read(&self, offset: u64, length: u64) -> Result<Vec<u8>> {
        let offset = self.part.as_ref().map_or(offset, |part| part.start + offset);
        let start = offset - offset % ALIGN;
        let wanted = (offset + length).next_multiple_of(ALIGN) - start;
        let mut memory = vec![UNREAD; (wanted + ALIGN) as usize];
        let skip = memory.as_ptr().align_offset(ALIGN as usize);
        let into = &mut memory[skip..skip + wanted as usize];
        let got = self.read_into(into, start)?;
        let (from, end) = ((offset - start) as usize, (offset - start + length) as usize);
        Ok(into[from.min(got)..end.min(got)].to_vec())
    }

    fn read_into(&self, into: &mut [u8], offset: u64) -> Result<usize> {
        if !self.is_direct() {
            // Advice: pages that are dirty or in use stay, and there is nothing more that a user may do about it.
            let _ = fadvise(&self.fd, offset, std::num::NonZeroU64::new(into.len() as u64), Advice::DontNeed);
        }
        let mut read = 0;
        while read < into.len() {
            match pread(&self.fd, &mut into[read..], offset + read as u64) {
                Ok(0) => break,
                Ok(count) => {
                    read += count;
                    // To ask again from amid a page would be refused for its alignment; it is the file's end.
                    if !(read as u64).is_multiple_of(ALIGN) && self.is_direct() {
                        break;
                    }
                }
                Err(Errno::INTR) => {}
                Err(Errno::INVAL) if self.is_direct() => {
                    let flags = fcntl_getfl(&self.fd).map_err(|errno| os_error("read", &self.path, errno))?;
                    fcntl_setfl(&self.fd, flags - OFlags::DIRECT)
                        .map_err(|errno| os_error("read", &self.path, errno))?;
                    return self.read_into(into, offset);
                }
                Err(errno) => {
                    let what = format!("read {} bytes again at offset {offset} of", into.len());
                    return Err(os_error(&what, &self.path, errno));
                }
            }
        }
        Ok(read)
    }
}
