//! How much memory there is to be had. Asked first, since the kernel answers a touch that goes beyond it by killing a
//! process.

use std::fs;

use crate::cgroup;

/// What could be had without swapping, of the system and inside the limits of this process's groups.
pub(crate) fn available_bytes() -> Option<u64> {
    let system = fs::read_to_string("/proc/meminfo").ok().and_then(|text| kibibytes(&text, "MemAvailable:"));
    [system, cgroup::memory_left()].into_iter().flatten().min()
}

/// What is free on a NUMA node, where the system tells. Memory that holds cached files is not free: a new page goes to
/// another node before the kernel gives that up.
pub(crate) fn node_free_bytes(node: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/sys/devices/system/node/node{node}/meminfo")).ok()?;
    kibibytes(&text, "MemFree:")
}

/// Huge pages of this size that are set aside and free: on a NUMA node, or in all.
pub(crate) fn free_huge_pages(node: Option<u32>, page_bytes: usize) -> u64 {
    let pool = match node {
        Some(node) => format!("/sys/devices/system/node/node{node}"),
        None => "/sys/kernel/mm".into(),
    };
    let path = format!("{pool}/hugepages/hugepages-{}kB/free_hugepages", page_bytes >> 10);
    fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// Whether the kernel was told to make no huge pages by itself.
pub(super) fn transparent_huge_pages_are_off() -> bool {
    fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled").is_ok_and(|choice| choice.contains("[never]"))
}

/// The value of a field such as `Node 0 MemFree: 123 kB`, in bytes.
fn kibibytes(text: &str, field: &str) -> Option<u64> {
    let (_, value) = text.lines().find_map(|line| line.split_once(field))?;
    value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_read_in_bytes_with_and_without_its_node() {
        let text = "Node 1 MemTotal:  2000 kB\nNode 1 MemFree:   7 kB\nMemAvailable: 9 kB\n";
        assert_eq!(kibibytes(text, "MemFree:"), Some(7 << 10));
        assert_eq!(kibibytes(text, "MemAvailable:"), Some(9 << 10));
        assert_eq!(kibibytes(text, "SwapFree:"), None);
        assert_eq!(kibibytes("MemFree: many kB", "MemFree:"), None);
    }

    #[test]
    fn this_machine_tells_how_much_it_has() {
        assert!(available_bytes().unwrap() > 1 << 20);
        assert_eq!(node_free_bytes(1_000_000), None);
        assert_eq!(free_huge_pages(Some(1_000_000), 2 << 20), 0);
    }
}
