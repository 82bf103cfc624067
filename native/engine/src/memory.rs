//! A lane's buffer: page-aligned, near the lane, touched by the lane. It must never know what is written into it.

use std::io;
use std::ptr::NonNull;

use crate::error::{Code, Error, Result};

/// From this size on transparent huge pages are asked for, and the buffer starts on a huge page.
const HUGE_PAGE_BYTES: usize = 2 << 20;

/// More is refused before the system is asked: a lane's buffer is meant to fit a cache, not to hold a file.
const MAX_BUFFER_BYTES: usize = 64 << 30;

/// Memory policy "this node if it has room, else another": from the kernel's `mempolicy.h`.
const MPOL_PREFERRED: libc::c_int = 1;

/// Ask for the node, not for the policy: from the kernel's `mempolicy.h`.
const MPOL_F_NODE: libc::c_int = 1;

/// Ask about the page at an address: from the kernel's `mempolicy.h`.
const MPOL_F_ADDR: libc::c_int = 2;

/// NUMA nodes that a mask given to the kernel names: the most that any kernel is built for.
const MAX_NODES: usize = 1024;

/// Memory of one lane, aligned for O_DIRECT, on the lane's NUMA node where the system allows it.
///
/// Made, grown and touched by the lane itself, which puts its pages on the lane's node even where binding is refused.
#[derive(Debug)]
pub struct LaneBuffer {
    start: NonNull<u8>,
    bytes: usize,
    node: Option<u32>,
    bound: bool,
}

// SAFETY: the buffer owns its mapping, which any one thread may use at a time; nothing in it is tied to a thread.
unsafe impl Send for LaneBuffer {}
// SAFETY: a shared buffer only lets its bytes be read.
unsafe impl Sync for LaneBuffer {}

impl LaneBuffer {
    /// A zeroed buffer of at least this many bytes (rounded up to whole pages, never empty), preferably on this node.
    /// `None` leaves the place of its pages to the system, which takes the node of the lane that touches them.
    ///
    /// # Errors
    /// `OutOfMemory`, with what was asked for.
    pub fn new(bytes: usize, node: Option<u32>) -> Result<Self> {
        Self::aligned(bytes, 1, node)
    }

    /// As [`LaneBuffer::new`], and begins at a multiple of `align` at least, a power of two.
    ///
    /// # Errors
    /// As [`LaneBuffer::new`].
    pub fn aligned(bytes: usize, align: usize, node: Option<u32>) -> Result<Self> {
        if bytes > MAX_BUFFER_BYTES || align > MAX_BUFFER_BYTES {
            return Err(refused(bytes, "a buffer is at most 64 GiB, as is its alignment"));
        }
        let page = page_bytes();
        let bytes = bytes.max(1).next_multiple_of(page);
        if bytes >= HUGE_PAGE_BYTES
            && let Some(available) = available_bytes()
            && bytes as u64 > available
        {
            return Err(refused(bytes, &format!("the system has {available} bytes available")));
        }
        let align = align.max(if bytes >= HUGE_PAGE_BYTES { HUGE_PAGE_BYTES } else { page });
        let start = map(bytes, align, page).map_err(|error| refused(bytes, &error.to_string()))?;
        let bound = node.is_some_and(|node| prefer_node(start, bytes, node));
        let buffer = Self { start, bytes, node, bound };
        if bytes >= HUGE_PAGE_BYTES {
            // SAFETY: advice on a mapping that `buffer` owns. A refusal (no such pages) changes nothing but speed.
            unsafe { libc::madvise(start.as_ptr().cast(), bytes, libc::MADV_HUGEPAGE) };
        }
        for at in (0..bytes).step_by(page) {
            // SAFETY: `at` is inside the mapping, which is writable and which nobody else knows yet. Volatile, for
            // the write is there to get the page and would else be left out: the page is zero already.
            unsafe { start.as_ptr().add(at).write_volatile(0) };
        }
        Ok(buffer)
    }

    /// Makes the buffer at least this long. What was in it is lost when it grows; when this fails it stays as it was.
    ///
    /// # Errors
    /// `OutOfMemory`, with what was asked for.
    pub fn reserve(&mut self, bytes: usize) -> Result<()> {
        if bytes > self.bytes {
            *self = Self::new(bytes, self.node)?;
        }
        Ok(())
    }

    /// Its length in bytes: whole pages.
    #[expect(clippy::len_without_is_empty, reason = "a lane's buffer is never empty")]
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Whether the system took the wish for the node. Without it the pages are where the lane touched them first.
    pub fn is_bound(&self) -> bool {
        self.bound
    }

    /// Where it begins, for those who answer for who reads and writes it.
    pub fn as_ptr(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// All of its bytes.
    pub fn as_slice(&self) -> &[u8] {
        // SAFETY: the mapping is `bytes` long, readable, initialised (zero pages) and owned; the borrow is of self.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.bytes) }
    }

    /// All of its bytes, to write.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: as in `as_slice`, and the borrow of self is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.bytes) }
    }
}

impl Drop for LaneBuffer {
    fn drop(&mut self) {
        // SAFETY: exactly the mapping that `map` made and nobody else unmaps; no borrow outlives self.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}

fn refused(bytes: usize, why: &str) -> Error {
    Error::new(
        Code::OutOfMemory,
        format!("a buffer of {bytes} bytes could not be had: {why}"),
        "use fewer lanes, smaller blocks or fewer and smaller buffers, or raise the memory limit",
    )
}

/// Bytes in a page of memory.
pub fn page_bytes() -> usize {
    // SAFETY: sysconf takes a number and returns one; every system knows its page size.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(bytes).expect("a page has a size")
}

/// Maps zeroed private memory that starts on a multiple of `align`, a multiple of `page`.
fn map(bytes: usize, align: usize, page: usize) -> io::Result<NonNull<u8>> {
    let spare = align - page;
    let whole = bytes + spare;
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping at a place that the kernel chooses touches no memory that anybody has.
    let mapped = unsafe { libc::mmap(std::ptr::null_mut(), whole, protection, flags, -1, 0) };
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
            libc::munmap(mapped.byte_add(head + bytes), tail);
        }
    }
    // SAFETY: `head` is inside the mapping.
    NonNull::new(unsafe { mapped.byte_add(head) }.cast()).ok_or_else(|| io::Error::other("mapped at address 0"))
}

/// Asks for pages of this node. Refused in containers without the right to, and on kernels without NUMA.
fn prefer_node(start: NonNull<u8>, bytes: usize, node: u32) -> bool {
    const WORD_BITS: usize = libc::c_ulong::BITS as usize;
    let node = node as usize;
    if node >= MAX_NODES {
        return false;
    }
    let mut mask = [0 as libc::c_ulong; MAX_NODES / WORD_BITS];
    mask[node / WORD_BITS] = 1 << (node % WORD_BITS);
    let no_flags = 0 as libc::c_uint;
    // SAFETY: the range is a mapping that the caller owns; the kernel reads MAX_NODES bits of `mask` (it counts one
    // less than it is told).
    let status = unsafe {
        libc::syscall(
            libc::SYS_mbind,
            start.as_ptr(),
            bytes as libc::c_ulong,
            MPOL_PREFERRED,
            mask.as_ptr(),
            (MAX_NODES + 1) as libc::c_ulong,
            no_flags,
        )
    };
    status == 0
}

/// The NUMA node that the page with this byte lies on, where the system tells.
pub fn node_of(byte: &u8) -> Option<u32> {
    let mut node: libc::c_int = -1;
    let by_address = (MPOL_F_NODE | MPOL_F_ADDR) as libc::c_ulong;
    let no_mask = std::ptr::null_mut::<libc::c_ulong>();
    // SAFETY: the kernel writes one number, looks at the page of a byte that is alive, and is given no mask.
    let status = unsafe {
        libc::syscall(libc::SYS_get_mempolicy, &raw mut node, no_mask, 0_usize, std::ptr::from_ref(byte), by_address)
    };
    if status == 0 { u32::try_from(node).ok() } else { None }
}

/// What the kernel says could be had without swapping. Asked first since it answers a touch that goes beyond it by
/// killing a process.
pub(crate) fn available_bytes() -> Option<u64> {
    let memory = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = memory.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_buffer_can_be_used_for_direct_io() {
        for bytes in [0, 1, 4096, 4097, 256 << 10, HUGE_PAGE_BYTES, (5 << 20) + 1] {
            let mut buffer = LaneBuffer::new(bytes, None).unwrap();
            assert!(buffer.len() >= bytes.max(1));
            assert_eq!(buffer.len() % page_bytes(), 0);
            assert_eq!(buffer.as_slice().as_ptr() as usize % page_bytes(), 0);
            assert!(buffer.as_slice().iter().all(|byte| *byte == 0));
            buffer.as_mut_slice().fill(0xa5);
            assert!(buffer.as_slice().iter().all(|byte| *byte == 0xa5));
        }
    }

    #[test]
    fn a_large_buffer_starts_on_a_huge_page() {
        let buffer = LaneBuffer::new(HUGE_PAGE_BYTES + 1, None).unwrap();
        assert_eq!(buffer.as_slice().as_ptr() as usize % HUGE_PAGE_BYTES, 0);
    }

    #[test]
    fn a_buffer_begins_at_the_multiple_that_was_asked_for() {
        for align in [1, 64, 4096, 1 << 16, 1 << 21, 1 << 25] {
            let buffer = LaneBuffer::aligned(10_000, align, None).unwrap();
            assert_eq!(buffer.as_slice().as_ptr() as usize % align, 0);
        }
        assert_eq!(LaneBuffer::aligned(1, 1 << 40, None).unwrap_err().code, Code::OutOfMemory);
    }

    #[test]
    fn a_page_that_was_touched_lies_on_a_node_where_the_system_tells() {
        let buffer = LaneBuffer::new(4096, None).unwrap();
        assert!(node_of(&buffer.as_slice()[0]).is_none_or(|node| (node as usize) < MAX_NODES));
    }

    #[test]
    fn a_buffer_grows_and_never_shrinks() {
        let mut buffer = LaneBuffer::new(4096, Some(0)).unwrap();
        buffer.reserve(3 << 20).unwrap();
        assert_eq!(buffer.len(), 3 << 20);
        buffer.as_mut_slice()[(3 << 20) - 1] = 1;
        buffer.reserve(4096).unwrap();
        assert_eq!(buffer.as_slice()[(3 << 20) - 1], 1);
    }

    #[test]
    fn a_buffer_that_cannot_be_had_is_an_error_that_says_how_much_and_leaves_the_old_one() {
        let mut buffer = LaneBuffer::new(4096, None).unwrap();
        for bytes in [usize::MAX, MAX_BUFFER_BYTES + 1] {
            let error = buffer.reserve(bytes).unwrap_err();
            assert_eq!(error.code, Code::OutOfMemory);
            assert!(error.what.contains(&bytes.to_string()), "{error}");
        }
        assert_eq!(buffer.len(), 4096);
        assert!(refused(1, "x").what.contains("1 bytes"));
    }

    #[test]
    fn a_node_that_is_not_there_is_no_reason_to_fail() {
        for node in [63, 1023, 1024, u32::MAX] {
            let buffer = LaneBuffer::new(4096, Some(node)).unwrap();
            assert!(!buffer.is_bound());
        }
    }
}
