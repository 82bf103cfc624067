//! What a file system wants of O_DIRECT: how memory and offsets must be aligned. Asked of the kernel (statx), and where
//! that does not know, tried. Must never know of a plan or of a run.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, StatxFlags, fcntl_getfl, fcntl_setfl, openat, statx, unlink};
use rustix::io::{Errno, pwrite};

use super::os_error::os_error;
use crate::clock::now_ns;
use crate::error::Result;
use crate::memory::page_bytes;

/// The smallest alignment that any block storage asks for.
const SECTOR_BYTES: usize = 512;

/// The largest that is tried.
const MAX_TRIED_BYTES: usize = 64 << 10;

/// What O_DIRECT asks of those who use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectAlignment {
    /// Addresses in memory are multiples of this.
    pub memory_bytes: u64,
    /// Offsets and lengths are multiples of this.
    pub offset_bytes: u64,
    /// Whether the kernel said so; else it was tried.
    pub told: bool,
}

/// What the file system of `folder` wants of O_DIRECT; `None` when it refuses it. Makes a file without a name there, or
/// where such files cannot be had one whose name is gone at once.
///
/// # Errors
/// Those of making a file in the folder.
pub fn direct_alignment(folder: &Path) -> Result<Option<DirectAlignment>> {
    let file = nameless(folder)?;
    if let Some(told) = told(&file) {
        return Ok(told);
    }
    Ok(tried(&file))
}

fn nameless(folder: &Path) -> Result<OwnedFd> {
    let mode = Mode::RUSR | Mode::WUSR;
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    match openat(CWD, folder, flags | OFlags::TMPFILE, mode) {
        Ok(file) => return Ok(file),
        // File systems without such files.
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOENT) => {}
        Err(errno) => return Err(os_error("make a file in", folder, errno)),
    }
    let path = folder.join(format!(".seedstorm-check-{}-{}", std::process::id(), now_ns()));
    let file = openat(CWD, &path, flags | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW, mode)
        .map_err(|errno| os_error("make", &path, errno))?;
    unlink(&path).map_err(|errno| os_error("remove", &path, errno))?;
    Ok(file)
}

/// What the kernel says (Linux 6.1 and later, on file systems that know). `None`: nothing.
fn told(file: &OwnedFd) -> Option<Option<DirectAlignment>> {
    let status = statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::DIOALIGN).ok()?;
    if status.stx_mask & StatxFlags::DIOALIGN.bits() == 0 {
        return None;
    }
    let (memory, offset) = (status.stx_dio_mem_align, status.stx_dio_offset_align);
    // Zero is the kernel's word for a file that takes no O_DIRECT.
    Some((memory > 0 && offset > 0).then(|| DirectAlignment {
        memory_bytes: u64::from(memory),
        offset_bytes: u64::from(offset),
        told: true,
    }))
}

/// The smallest of a sector, a page and larger powers of two that a write with O_DIRECT is taken with.
fn tried(file: &OwnedFd) -> Option<DirectAlignment> {
    let flags = fcntl_getfl(file).ok()?;
    fcntl_setfl(file, flags | OFlags::DIRECT).ok()?;
    let buffer = Aligned::new()?;
    let mut bytes = SECTOR_BYTES;
    while bytes <= MAX_TRIED_BYTES {
        // At an offset that is a multiple of this and of nothing larger.
        match pwrite(file, &buffer.bytes()[..bytes], bytes as u64) {
            Ok(_) => {
                return Some(DirectAlignment { memory_bytes: bytes as u64, offset_bytes: bytes as u64, told: false });
            }
            Err(Errno::INVAL) => {}
            Err(_) => return None,
        }
        // What is between a sector and a page is no page cache's and no device's unit.
        bytes = if bytes < page_bytes() { page_bytes() } else { bytes * 2 };
    }
    None
}

/// Zeros at an address that is as aligned as anything that is tried.
struct Aligned(*mut u8);

impl Aligned {
    const LAYOUT: Layout = match Layout::from_size_align(MAX_TRIED_BYTES, MAX_TRIED_BYTES) {
        Ok(layout) => layout,
        Err(_) => panic!("the size is a power of two"),
    };

    fn new() -> Option<Self> {
        // SAFETY: the layout's size is not zero.
        let start = unsafe { alloc_zeroed(Self::LAYOUT) };
        (!start.is_null()).then_some(Self(start))
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: so many bytes were allocated at this address, zeroed, and live as long as self; nobody writes to them.
        unsafe { std::slice::from_raw_parts(self.0, MAX_TRIED_BYTES) }
    }
}

impl Drop for Aligned {
    fn drop(&mut self) {
        // SAFETY: allocated in new() with this layout, and freed only here.
        unsafe { dealloc(self.0, Self::LAYOUT) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_is_what_a_write_is_really_taken_with() {
        let folder = std::env::temp_dir();
        let Some(found) = direct_alignment(&folder).unwrap() else { return };
        assert!(found.offset_bytes.is_power_of_two() && found.memory_bytes.is_power_of_two());
        let file = nameless(&folder).unwrap();
        fcntl_setfl(&file, fcntl_getfl(&file).unwrap() | OFlags::DIRECT).unwrap();
        let buffer = Aligned::new().unwrap();
        let bytes = &buffer.bytes()[..found.offset_bytes as usize];
        assert_eq!(pwrite(&file, bytes, found.offset_bytes), Ok(bytes.len()));
    }

    #[test]
    fn looking_leaves_nothing_behind() {
        let folder = std::env::temp_dir().join(format!("seedstorm-alignment-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        direct_alignment(&folder).unwrap();
        std::fs::remove_dir(&folder).expect("the folder is empty");
    }

    #[test]
    fn trying_agrees_with_what_the_kernel_tells() {
        let file = nameless(&std::env::temp_dir()).unwrap();
        if let (Some(Some(told)), Some(tried)) = (told(&file), tried(&file)) {
            assert!(tried.offset_bytes >= told.offset_bytes);
        }
    }
}
