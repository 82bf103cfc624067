//! Mappings as the kernel gives them: aligned, of ordinary or of huge pages, every page there before anybody uses it.

use std::io;
use std::ptr::NonNull;

/// A huge page as x86-64 and most Arm kernels have it.
pub(crate) const HUGE_PAGE_BYTES: usize = 2 << 20;

/// Fault in all pages for writing, as a call that can fail: from the kernel's `mman.h`, since Linux 5.14.
const MADV_POPULATE_WRITE: libc::c_int = 23;

/// Bytes in a page of memory.
pub fn page_bytes() -> usize {
    // SAFETY: sysconf takes a number and returns one; every system knows its page size.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(bytes).expect("a page has a size")
}

/// Zeroed private memory, followed by a page that nobody may touch: it keeps the mapping apart from its neighbours, so
/// that the kernel tells of each by itself, and ends a write beyond it.
#[derive(Debug)]
pub(super) struct Mapping {
    start: NonNull<u8>,
    bytes: usize,
    guard_bytes: usize,
    /// Bytes in a page, as it was asked for.
    page_bytes: usize,
}

// SAFETY: the mapping is owned, and nothing in it is tied to a thread.
unsafe impl Send for Mapping {}
// SAFETY: a shared mapping only tells where it is.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Ordinary pages, from a multiple of `align` on, a power of two; `bytes` is a multiple of the page.
    pub(super) fn ordinary(bytes: usize, align: usize) -> io::Result<Self> {
        let page = page_bytes();
        let mapping = Self::of_pages(bytes, align.max(page), page, page, 0)?;
        // SAFETY: the guard is the last page of the mapping just made.
        unsafe { libc::mprotect(mapping.start.as_ptr().add(bytes).cast(), page, libc::PROT_NONE) };
        Ok(mapping)
    }

    /// Huge pages that were set aside; `bytes` is a multiple of them. The kernel keeps such mappings apart by itself.
    pub(super) fn huge(bytes: usize, align: usize) -> io::Result<Self> {
        let flags = libc::MAP_HUGETLB | libc::MAP_HUGE_2MB;
        Self::of_pages(bytes, align.max(HUGE_PAGE_BYTES), HUGE_PAGE_BYTES, 0, flags)
    }

    fn of_pages(bytes: usize, align: usize, page: usize, guard_bytes: usize, flags: libc::c_int) -> io::Result<Self> {
        let spare = align - page;
        let wanted = bytes + guard_bytes;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = flags | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping at a place that the kernel chooses touches no memory that anybody has.
        let mapped = unsafe { libc::mmap(std::ptr::null_mut(), wanted + spare, protection, flags, -1, 0) };
        if mapped == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let head = (mapped as usize).next_multiple_of(align) - mapped as usize;
        let tail = spare - head;
        // SAFETY: head and tail are whole pages at the two ends of the mapping just made; nobody uses them.
        unsafe {
            if head > 0 {
                libc::munmap(mapped, head);
            }
            if tail > 0 {
                libc::munmap(mapped.byte_add(head + wanted), tail);
            }
        }
        // SAFETY: `head` is inside the mapping.
        let start = NonNull::new(unsafe { mapped.byte_add(head) }.cast());
        let start = start.ok_or_else(|| io::Error::other("mapped at address 0"))?;
        Ok(Self { start, bytes, guard_bytes, page_bytes: page })
    }

    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn page_bytes(&self) -> usize {
        self.page_bytes
    }

    /// Whether the kernel should make huge pages of it; where it has none, nothing changes but speed.
    pub(super) fn advise_huge(&self, huge: bool) {
        let advice = if huge { libc::MADV_HUGEPAGE } else { libc::MADV_NOHUGEPAGE };
        // SAFETY: advice on a mapping that `self` owns.
        unsafe { libc::madvise(self.start.as_ptr().cast(), self.bytes, advice) };
    }

    /// Gets every page, from the calling thread. Where the kernel can, so that a page that is not to be had is an error
    /// and not the end of the process.
    pub(super) fn touch(&self) -> io::Result<()> {
        // SAFETY: the mapping is owned, writable and nobody else knows it yet.
        if unsafe { libc::madvise(self.start.as_ptr().cast(), self.bytes, MADV_POPULATE_WRITE) } == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::EINVAL) {
            return Err(error);
        }
        for at in (0..self.bytes).step_by(self.page_bytes) {
            // SAFETY: `at` is inside the mapping, which is writable and which nobody else knows yet. Volatile, for
            // the write is there to get the page and would else be left out: the page is zero already.
            unsafe { self.start.as_ptr().add(at).write_volatile(0) };
        }
        Ok(())
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: exactly the mapping that `of_pages` made and nobody else unmaps.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes + self.guard_bytes) };
    }
}
