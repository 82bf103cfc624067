//! A lane's buffer: page-aligned, near the lane, touched by the lane.

use super::available::{available_bytes, free_huge_pages, node_free_bytes, transparent_huge_pages_are_off};
use super::map::{HUGE_PAGE_BYTES, Mapping, page_bytes};
use super::pages::{self, Pages};
use super::{Binding, HugePages, Wish};
use crate::error::{Code, Error, Result};

/// More is refused before the system is asked: a lane's buffer is meant to fit a cache, not to hold a file.
const MAX_BUFFER_BYTES: usize = 64 << 30;

/// Memory of one lane, aligned for O_DIRECT, on the lane's NUMA node where the system allows it.
///
/// Made, grown and touched by the lane itself, which puts its pages on the lane's node even where binding is refused.
#[derive(Debug)]
pub struct LaneBuffer {
    mapping: Mapping,
    wish: Wish,
    /// Why the system did not take the wish for the node. The pages are then where the lane touched them first.
    unbound: Option<String>,
}

impl LaneBuffer {
    /// A zeroed buffer of at least this many bytes (rounded up to whole pages, never empty), where it is wished for.
    ///
    /// # Errors
    /// `OutOfMemory`, with what was asked for; `HugePages` when explicit ones were asked for and too few are left;
    /// `NumaMemory` when strict binding was asked for and the node has no room.
    pub fn new(bytes: usize, wish: Wish) -> Result<Self> {
        Self::aligned(bytes, 1, wish)
    }

    /// As [`LaneBuffer::new`], and begins at a multiple of `align` at least, a power of two.
    ///
    /// # Errors
    /// As [`LaneBuffer::new`].
    pub fn aligned(bytes: usize, align: usize, wish: Wish) -> Result<Self> {
        if bytes > MAX_BUFFER_BYTES || align > MAX_BUFFER_BYTES {
            return Err(refused(bytes, "a buffer is at most 64 GiB, as is its alignment"));
        }
        let bytes = bytes.max(1).next_multiple_of(page_bytes());
        if bytes >= HUGE_PAGE_BYTES
            && let Some(available) = available_bytes()
            && bytes as u64 > available
        {
            return Err(refused(bytes, &format!("{available} bytes are available")));
        }
        let (mapping, unbound) = match wish.options.huge_pages {
            HugePages::Explicit => Self::explicit(bytes, align, wish)?,
            HugePages::Auto if bytes >= HUGE_PAGE_BYTES => match Self::explicit(bytes, align, wish) {
                Ok(made) => made,
                Err(_) => Self::ordinary(bytes, align, wish)?,
            },
            _ => Self::ordinary(bytes, align, wish)?,
        };
        let buffer = Self { mapping, wish, unbound };
        match (wish.options.binding, wish.node) {
            (Binding::Strict, Some(node)) => buffer.check_all_on(node).map(|()| buffer),
            _ => Ok(buffer),
        }
    }

    fn ordinary(bytes: usize, align: usize, wish: Wish) -> Result<(Mapping, Option<String>)> {
        if let (Binding::Strict, Some(node)) = (wish.options.binding, wish.node)
            && let Some(free) = node_free_bytes(node)
            && bytes as u64 > free
        {
            return Err(node_full(node, bytes as u64, free));
        }
        let is_large = bytes >= HUGE_PAGE_BYTES;
        let align = if is_large { align.max(HUGE_PAGE_BYTES) } else { align };
        let mapping = Mapping::ordinary(bytes, align).map_err(|error| refused(bytes, &error.to_string()))?;
        let unbound = bind(&mapping, wish);
        match wish.options.huge_pages {
            HugePages::None => mapping.advise_huge(false),
            _ if is_large => mapping.advise_huge(true),
            _ => {}
        }
        mapping.touch().map_err(|error| refused(bytes, &error.to_string()))?;
        Ok((mapping, unbound))
    }

    fn explicit(bytes: usize, align: usize, wish: Wish) -> Result<(Mapping, Option<String>)> {
        let bytes = bytes.next_multiple_of(HUGE_PAGE_BYTES);
        let wanted = (bytes / HUGE_PAGE_BYTES) as u64;
        let free = free_huge_pages(wish.node, HUGE_PAGE_BYTES);
        if free < wanted {
            return Err(no_huge_pages(wish.node, wanted, &format!("{free} are free")));
        }
        let refused = |error: std::io::Error| no_huge_pages(wish.node, wanted, &error.to_string());
        let mapping = Mapping::huge(bytes, align).map_err(refused)?;
        let unbound = bind(&mapping, wish);
        mapping.touch().map_err(refused)?;
        Ok((mapping, unbound))
    }

    /// Asks the kernel where the pages are: a node that fills up while it is being touched makes no other noise.
    fn check_all_on(&self, node: u32) -> Result<()> {
        let (remote, unknown) = match self.pages() {
            Ok(pages) => (pages.remote(node), pages.unknown),
            Err(error) => {
                return Err(Error::new(
                    Code::NumaMemory,
                    format!("strict memory was asked for, and the system does not tell where pages are: {error}"),
                    "allow the system call move_pages, or ask for preferred memory",
                ));
            }
        };
        if remote + unknown == 0 {
            return Ok(());
        }
        let why = self.unbound.as_ref().map_or(String::new(), |why| format!("; binding was refused: {why}"));
        Err(Error::new(
            Code::NumaMemory,
            format!("{remote} pages of a buffer of {} bytes do not lie on NUMA node {node}{why}", self.len()),
            NUMA_MEND,
        ))
    }

    /// Makes the buffer at least this long. What was in it is lost when it grows; when this fails it stays as it was.
    ///
    /// # Errors
    /// As [`LaneBuffer::new`].
    pub fn reserve(&mut self, bytes: usize) -> Result<()> {
        if bytes > self.len() {
            *self = Self::new(bytes, self.wish)?;
        }
        Ok(())
    }

    /// Its length in bytes: whole pages.
    #[expect(clippy::len_without_is_empty, reason = "a lane's buffer is never empty")]
    pub fn len(&self) -> usize {
        self.mapping.bytes()
    }

    /// Bytes in a page, as the mapping was made: 2 MiB for explicit huge pages, else the system's ordinary page.
    pub fn page_bytes(&self) -> usize {
        self.mapping.page_bytes()
    }

    /// Why the system did not take the wish for a node; `None` where it did, or where nothing was wished for.
    pub fn unbound(&self) -> Option<&str> {
        self.unbound.as_deref()
    }

    /// The NUMA nodes that its pages lie on, as the kernel tells.
    ///
    /// # Errors
    /// What the kernel answers where a container forbids the question.
    pub fn pages(&self) -> std::io::Result<Pages> {
        let ask = || pages::nodes_of(self.mapping.start(), self.len(), self.page_bytes());
        let pages = ask()?;
        if pages.unknown == 0 {
            return Ok(pages);
        }
        // The kernel takes pages away for a moment to see who uses them (NUMA balancing); a read brings them back.
        for at in (0..self.len()).step_by(self.page_bytes()) {
            // SAFETY: inside the mapping, which is readable and initialised; volatile, so that it happens.
            unsafe { self.as_ptr().add(at).read_volatile() };
        }
        ask()
    }

    /// What was wished for and not got, each with what to do about it; the same for all buffers of a node.
    pub(crate) fn shortcomings(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(node) = self.wish.node {
            if let Some(why) = self.unbound() {
                notes.push(format!(
                    "memory could not be bound to NUMA node {node} ({why}), so it comes from where lanes touch it first: \
                     allow the node in the cgroup's cpuset.mems, and the container the system call mbind"
                ));
            }
            if self.pages().is_ok_and(|pages| pages.remote(node) > 0) {
                notes.push(format!(
                    "NUMA node {node} had no room for all buffers of its lanes, and some lie on other nodes: free memory \
                     there (cached files count as used), or use smaller buffers or fewer lanes"
                ));
            }
        }
        let is_large = self.len() >= HUGE_PAGE_BYTES;
        if self.wish.options.huge_pages == HugePages::Transparent && is_large && transparent_huge_pages_are_off() {
            notes.push(
                "transparent huge pages were asked for, and the kernel makes none: write madvise to \
                 /sys/kernel/mm/transparent_hugepage/enabled"
                    .into(),
            );
        }
        notes
    }

    /// Where it begins, for those who answer for who reads and writes it.
    pub fn as_ptr(&self) -> *mut u8 {
        self.mapping.start().as_ptr()
    }

    /// All of its bytes.
    pub fn as_slice(&self) -> &[u8] {
        // SAFETY: the mapping is that long, readable, initialised (zero pages) and owned; the borrow is of self.
        unsafe { std::slice::from_raw_parts(self.as_ptr(), self.len()) }
    }

    /// All of its bytes, to write.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: as in `as_slice`, and the borrow of self is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.as_ptr(), self.len()) }
    }
}

/// Preferred, never strict: the kernel kills a process that touches what strict binding has no room for. What was
/// refused is told.
fn bind(mapping: &Mapping, wish: Wish) -> Option<String> {
    let refused = pages::prefer_node(mapping.start(), mapping.bytes(), wish.node?).err()?;
    Some(refused.to_string())
}

const NUMA_MEND: &str = "free memory on that node (cached files count as used: drop them), use smaller buffers, fewer lanes \
                         there or other nodes, allow the node in the cgroup's cpuset.mems, or ask for preferred memory";

pub(crate) fn node_full(node: u32, wanted: u64, free: u64) -> Error {
    Error::new(
        Code::NumaMemory,
        format!("{wanted} bytes were asked for on NUMA node {node}, strictly, and {free} are free there"),
        NUMA_MEND,
    )
}

fn no_huge_pages(node: Option<u32>, wanted: u64, why: &str) -> Error {
    let place = node.map_or(String::new(), |node| format!(" on NUMA node {node}"));
    let file = match node {
        Some(node) => format!("/sys/devices/system/node/node{node}/hugepages/hugepages-2048kB/nr_hugepages"),
        None => "/proc/sys/vm/nr_hugepages".into(),
    };
    Error::new(
        Code::HugePages,
        format!("huge pages ({wanted} of 2 MiB) were asked for{place}: {why}"),
        format!("set more aside in {file}, use fewer lanes or smaller buffers, or ask for transparent ones"),
    )
}

fn refused(bytes: usize, why: &str) -> Error {
    Error::new(
        Code::OutOfMemory,
        format!("a buffer of {bytes} bytes could not be had: {why}"),
        "use fewer lanes, smaller blocks or fewer and smaller buffers, or raise the memory limit",
    )
}

#[cfg(test)]
mod tests {
    use super::super::MemoryOptions;
    use super::*;

    #[test]
    fn every_buffer_can_be_used_for_direct_io() {
        for bytes in [0, 1, 4096, 4097, 256 << 10, HUGE_PAGE_BYTES, (5 << 20) + 1] {
            let mut buffer = LaneBuffer::new(bytes, Wish::ANYWHERE).unwrap();
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
        let buffer = LaneBuffer::new(HUGE_PAGE_BYTES + 1, Wish::ANYWHERE).unwrap();
        assert_eq!(buffer.as_slice().as_ptr() as usize % HUGE_PAGE_BYTES, 0);
    }

    #[test]
    fn a_buffer_begins_at_the_multiple_that_was_asked_for() {
        for align in [1, 64, 4096, 1 << 16, 1 << 21, 1 << 25] {
            let buffer = LaneBuffer::aligned(10_000, align, Wish::ANYWHERE).unwrap();
            assert_eq!(buffer.as_slice().as_ptr() as usize % align, 0);
        }
        assert_eq!(LaneBuffer::aligned(1, 1 << 40, Wish::ANYWHERE).unwrap_err().code, Code::OutOfMemory);
    }

    #[test]
    fn every_page_of_a_buffer_lies_on_a_node_and_the_first_where_a_byte_tells() {
        let buffer = LaneBuffer::new(1 << 20, Wish::ANYWHERE).unwrap();
        let Ok(pages) = buffer.pages() else { return };
        assert_eq!(pages.unknown, 0);
        assert_eq!(pages.by_node.values().sum::<u64>(), (1 << 20) / page_bytes() as u64);
        assert!(pages.by_node.contains_key(&pages::node_of(&buffer.as_slice()[0]).unwrap()));
    }

    #[test]
    fn strict_memory_on_a_node_with_room_is_there_and_nowhere_else() {
        let here = pages::node_of(&LaneBuffer::new(1, Wish::ANYWHERE).unwrap().as_slice()[0]);
        let Some(node) = here else { return };
        let options = MemoryOptions { binding: Binding::Strict, huge_pages: HugePages::None };
        let wish = Wish { node: Some(node), options };
        let mut buffer = LaneBuffer::new(3 << 20, wish).unwrap();
        assert_eq!(buffer.pages().unwrap().remote(node), 0);
        buffer.reserve(5 << 20).unwrap();
        assert_eq!(buffer.pages().unwrap().remote(node), 0);
    }

    #[test]
    fn strict_memory_that_a_node_has_no_room_for_is_an_error_with_its_number_and_nothing_is_killed() {
        let options = MemoryOptions { binding: Binding::Strict, huge_pages: HugePages::None };
        // A node that is not there has no pages, however much memory the machine has.
        let error = LaneBuffer::new(1 << 20, Wish { node: Some(63), options }).unwrap_err();
        assert_eq!(error.code, Code::NumaMemory);
        assert!(error.what.contains("NUMA node 63"), "{error}");
        let Some(free) = node_free_bytes(0).filter(|free| *free < MAX_BUFFER_BYTES as u64) else { return };
        let asked = (free + (1 << 20)) as usize;
        if available_bytes().is_none_or(|available| available > asked as u64) {
            let error = LaneBuffer::new(asked, Wish { node: Some(0), options }).unwrap_err();
            assert_eq!(error.code, Code::NumaMemory);
        }
    }

    #[test]
    fn explicit_huge_pages_are_used_or_are_an_error_that_says_where_to_set_them_aside() {
        let options = MemoryOptions { huge_pages: HugePages::Explicit, ..MemoryOptions::default() };
        let free = free_huge_pages(None, HUGE_PAGE_BYTES);
        let made = LaneBuffer::new(1, Wish { node: None, options });
        if free > 0 {
            let buffer = made.unwrap();
            assert_eq!((buffer.len(), buffer.page_bytes()), (HUGE_PAGE_BYTES, HUGE_PAGE_BYTES));
        } else {
            let error = made.unwrap_err();
            assert_eq!(error.code, Code::HugePages);
            assert!(error.mend.contains("nr_hugepages"), "{error}");
        }
        // Automatic ones never fail for want of them.
        assert_eq!(LaneBuffer::new(3 << 20, Wish::ANYWHERE).unwrap().len() % page_bytes(), 0);
    }

    #[test]
    fn a_buffer_grows_and_never_shrinks() {
        let mut buffer = LaneBuffer::new(4096, Wish::near(Some(0))).unwrap();
        buffer.reserve(3 << 20).unwrap();
        assert!(buffer.len() >= 3 << 20);
        buffer.as_mut_slice()[(3 << 20) - 1] = 1;
        buffer.reserve(4096).unwrap();
        assert_eq!(buffer.as_slice()[(3 << 20) - 1], 1);
    }

    #[test]
    fn a_buffer_that_cannot_be_had_is_an_error_that_says_how_much_and_leaves_the_old_one() {
        let mut buffer = LaneBuffer::new(4096, Wish::ANYWHERE).unwrap();
        for bytes in [usize::MAX, MAX_BUFFER_BYTES + 1] {
            let error = buffer.reserve(bytes).unwrap_err();
            assert_eq!(error.code, Code::OutOfMemory);
            assert!(error.what.contains(&bytes.to_string()), "{error}");
        }
        assert_eq!(buffer.len(), 4096);
    }

    #[test]
    fn a_node_that_is_not_there_is_no_reason_to_fail_where_it_is_only_preferred_and_is_told() {
        for node in [63, 1023, 1024, u32::MAX] {
            let buffer = LaneBuffer::new(4096, Wish::near(Some(node))).unwrap();
            assert!(buffer.unbound().is_some());
            let notes = buffer.shortcomings();
            assert!(notes.iter().all(|note| note.contains(&format!("NUMA node {node} "))), "{notes:?}");
            assert_eq!(notes.len(), 1 + usize::from(buffer.pages().is_ok()));
        }
        assert!(LaneBuffer::new(4096, Wish::ANYWHERE).unwrap().shortcomings().is_empty());
    }
}
