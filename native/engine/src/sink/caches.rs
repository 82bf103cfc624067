//! The page cache of this host: dropped as a whole, and asked how much of a file it holds. Must never know which stage
//! or object it is about.

use std::fs;
use std::os::fd::AsFd;

use rustix::fs::{Advice, fadvise, fdatasync, fstat, sync};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use rustix::process::geteuid;

use crate::error::{Code, Error, Result};
use crate::memory::page_bytes;

/// Where the kernel takes the wish.
const DROP_CACHES: &str = "/proc/sys/vm/drop_caches";

/// How much of a file is looked at in one piece.
const WINDOW_BYTES: u64 = 4 << 20;

/// How many such pieces are looked at in one file: in a longer one, pieces all over it.
const MAX_WINDOWS: u64 = 16;

/// Pages that were looked at, and how many of them were in the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Residency {
    /// Objects that were looked at.
    pub objects: u64,
    /// Their pages that were looked at.
    pub pages: u64,
    /// Of these, how many were in the page cache.
    pub resident: u64,
}

impl std::ops::AddAssign for Residency {
    fn add_assign(&mut self, other: Self) {
        self.objects += other.objects;
        self.pages += other.pages;
        self.resident += other.resident;
    }
}

/// Writes back what is dirty and empties this host's page cache. Takes its time.
///
/// # Errors
/// [`Code::DropCachesRefused`] where this process may not.
pub fn drop_caches() -> Result<()> {
    sync();
    // Page cache, directory entries and inodes.
    fs::write(DROP_CACHES, "3").map_err(|error| {
        Error::new(
            Code::DropCachesRefused,
            format!("the page cache of this host was not dropped: {DROP_CACHES} cannot be written to ({error})"),
            "run the agent as root, set dropCaches to auto or leave it out; io: { direct: true } needs no dropping",
        )
    })
}

/// Takes what a file has in the page cache out of it; what is dirty is written back first, for only what is clean can go.
/// What stays although this was asked is seen by [`residency`].
pub(crate) fn evict(file: impl AsFd) {
    let _ = fdatasync(&file);
    let _ = fadvise(&file, 0, None, Advice::DontNeed);
}

/// How much of a file is in the page cache: of a long one, by pieces spread over it from a place that `chance` picks.
/// `None` where the kernel does not tell: it does so only to those who own the file, or could write to it.
pub(crate) fn residency(file: impl AsFd, chance: u64) -> Option<Residency> {
    let status = fstat(&file).ok()?;
    let euid = geteuid();
    if !euid.is_root() && status.st_uid != euid.as_raw() {
        return None;
    }
    let bytes = u64::try_from(status.st_size).ok()?;
    let windows = bytes.div_ceil(WINDOW_BYTES);
    let looked_at = windows.min(MAX_WINDOWS);
    let mut sum = Residency { objects: 1, ..Residency::default() };
    let mut pages = vec![0u8; (WINDOW_BYTES as usize).div_ceil(page_bytes())];
    for index in 0..looked_at {
        let window = (chance % windows + index * (windows / looked_at)) % windows;
        let start = window * WINDOW_BYTES;
        let length = (bytes - start).min(WINDOW_BYTES) as usize;
        let seen = &mut pages[..length.div_ceil(page_bytes())];
        ask(&file, start, length, seen)?;
        sum.pages += seen.len() as u64;
        sum.resident += seen.iter().filter(|page| **page & 1 == 1).count() as u64;
    }
    Some(sum)
}

/// Asks which pages of a stretch of a file are in the page cache: a byte a page, of which the lowest bit says it.
fn ask(file: impl AsFd, start: u64, length: usize, pages: &mut [u8]) -> Option<()> {
    assert!(length > 0 && pages.len() == length.div_ceil(page_bytes()));
    // SAFETY: a new mapping at an address that the kernel picks; nothing is read through it, and it is undone below.
    let map = unsafe { mmap(std::ptr::null_mut(), length, ProtFlags::READ, MapFlags::SHARED, file, start) }.ok()?;
    // SAFETY: the mapping has this length, and `pages` a byte for each of its pages, as is asserted above.
    let told = unsafe { libc::mincore(map, length, pages.as_mut_ptr()) };
    // SAFETY: made above with this length, and known to nobody else.
    unsafe { munmap(map, length) }.ok()?;
    (told == 0).then_some(())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};
    use std::path::PathBuf;

    use super::*;

    /// A file of so many bytes on storage that has a page cache: the file system of temporary files may have none.
    fn with_file(name: &str, bytes: usize, test: impl FnOnce(&File, &PathBuf)) {
        let path = PathBuf::from("/var/tmp").join(format!("seedstorm-caches-{}-{name}", std::process::id()));
        let mut file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        file.write_all(&vec![7; bytes]).unwrap();
        test(&file, &path);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_file_that_was_just_written_is_in_the_cache_and_after_eviction_is_not() {
        with_file("evicted", 10 << 20, |file, path| {
            let before = residency(file, 1).unwrap();
            assert_eq!((before.pages, before.resident), (2560, 2560));
            evict(file);
            let after = residency(file, 1).unwrap();
            assert_eq!(after.pages, 2560);
            assert!(after.resident * 50 < after.pages, "evicted: {after:?}");
            let mut back = Vec::new();
            File::open(path).unwrap().read_to_end(&mut back).unwrap();
            assert_eq!(residency(file, 1).unwrap().resident, 2560, "read, it is there again");
        });
    }

    #[test]
    fn a_long_file_is_looked_at_in_pieces_and_an_empty_one_has_none() {
        with_file("long", 0, |file, _| {
            assert_eq!(residency(file, 7), Some(Residency { objects: 1, pages: 0, resident: 0 }));
            file.set_len(1 << 40).unwrap();
            let sampled = residency(file, u64::MAX).unwrap();
            assert_eq!((sampled.pages, sampled.resident), (MAX_WINDOWS * 1024, 0));
        });
    }
}
