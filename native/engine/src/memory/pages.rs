//! NUMA nodes of pages: which one is wished for, and which one it is, as the kernel tells.

use std::collections::BTreeMap;
use std::io;
use std::ptr::NonNull;

/// Memory policy "this node if it has room, else another": from the kernel's `mempolicy.h`.
const MPOL_PREFERRED: libc::c_int = 1;

/// NUMA nodes that a mask given to the kernel names: the most that any kernel is built for.
const MAX_NODES: usize = 1024;

/// Pages that the kernel is asked about in one call.
const PAGES_AT_ONCE: usize = 4096;

/// On which nodes pages lie.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pages {
    /// How many lie on each node, by OS index.
    pub by_node: BTreeMap<u32, u64>,
    /// How many the kernel tells nothing of.
    pub unknown: u64,
}

impl Pages {
    /// How many lie on another node than this.
    pub fn remote(&self, node: u32) -> u64 {
        self.by_node.iter().filter(|(other, _)| **other != node).map(|(_, pages)| pages).sum()
    }
}

/// Asks for pages of this node from now on.
///
/// # Errors
/// What the kernel answers: `EPERM` and `ENOSYS` in containers without the right to and on kernels without NUMA,
/// `EINVAL` for a node that is not there or not in the cgroup's `cpuset.mems`.
pub(super) fn prefer_node(start: NonNull<u8>, bytes: usize, node: u32) -> io::Result<()> {
    const WORD_BITS: usize = libc::c_ulong::BITS as usize;
    let node = node as usize;
    if node >= MAX_NODES {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
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
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The nodes of the pages at `start`, `start` + `page_bytes` and so on, by move_pages(2), which moves nothing when it is
/// given no nodes.
///
/// # Errors
/// What the kernel answers: `EPERM` or `ENOSYS` where a container forbids the call.
pub(super) fn nodes_of(start: NonNull<u8>, bytes: usize, page_bytes: usize) -> io::Result<Pages> {
    let mut pages = Pages::default();
    let addresses: Vec<*mut u8> = (0..bytes).step_by(page_bytes).map(|at| start.as_ptr().wrapping_add(at)).collect();
    for addresses in addresses.chunks(PAGES_AT_ONCE) {
        let mut nodes = vec![-1 as libc::c_int; addresses.len()];
        let (this_process, no_nodes, no_flags) = (0 as libc::c_int, std::ptr::null::<libc::c_int>(), 0 as libc::c_int);
        // SAFETY: the kernel reads as many addresses and writes as many nodes as it is told; it reads no memory there.
        let status = unsafe {
            libc::syscall(
                libc::SYS_move_pages,
                this_process,
                addresses.len(),
                addresses.as_ptr(),
                no_nodes,
                nodes.as_mut_ptr(),
                no_flags,
            )
        };
        if status < 0 {
            return Err(io::Error::last_os_error());
        }
        for node in nodes {
            match u32::try_from(node) {
                Ok(node) => *pages.by_node.entry(node).or_default() += 1,
                Err(_) => pages.unknown += 1,
            }
        }
    }
    Ok(pages)
}

/// The NUMA node that the page with this byte lies on, where the system tells.
pub fn node_of(byte: &u8) -> Option<u32> {
    let pages = nodes_of(NonNull::from(byte), 1, 1).ok()?;
    pages.by_node.into_keys().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_elsewhere_are_counted() {
        let pages = Pages { by_node: BTreeMap::from([(0, 7), (2, 3), (5, 1)]), unknown: 1 };
        assert_eq!((pages.remote(0), pages.remote(2), pages.remote(1)), (4, 8, 11));
    }
}
