//! What Linux says of this machine and hwloc does not pass on: which CPUs are a NUMA node's own. hwloc attaches a node
//! with memory only to the CPUs nearest to it, as if they were its own.

use std::fs;

const NODES: &str = "/sys/devices/system/node";

/// The NUMA nodes with the CPUs that are on-line and their own, by OS index, ascending; none for a node with memory only.
/// Empty where Linux does not tell.
pub(super) fn cpus_of_nodes() -> Vec<(u32, Vec<u32>)> {
    let entries = fs::read_dir(NODES).into_iter().flatten().flatten();
    let mut nodes: Vec<(u32, Vec<u32>)> = entries
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.strip_prefix("node")?.parse().ok()?;
            let cpus = fs::read_to_string(entry.path().join("cpulist")).ok()?;
            Some((number, numbers(cpus.trim())?))
        })
        .collect();
    nodes.sort_unstable();
    nodes
}

/// The numbers of a list as Linux writes it: `0-3,8`. `None` for what is no such list.
fn numbers(list: &str) -> Option<Vec<u32>> {
    let mut numbers = Vec::new();
    for range in list.split(',').filter(|range| !range.is_empty()) {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (first.parse::<u32>().ok()?, last.parse::<u32>().ok()?);
        // More than any kernel has would be a slip, and cost memory.
        if last >= 1 << 20 {
            return None;
        }
        numbers.extend(first..=last);
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_linux_writes_them() {
        assert_eq!(numbers("0-3,8,10-11"), Some(vec![0, 1, 2, 3, 8, 10, 11]));
        assert_eq!(numbers(""), Some(vec![]));
        assert_eq!((numbers("0-"), numbers("a"), numbers("0-4294967295")), (None, None, None));
    }

    #[test]
    fn every_cpu_that_this_process_may_use_is_some_nodes_own() {
        let nodes = cpus_of_nodes();
        if nodes.is_empty() {
            return;
        }
        for pu in crate::cpuset::allowed_to_process().unwrap() {
            assert_eq!(nodes.iter().filter(|(_, cpus)| cpus.contains(&pu)).count(), 1, "CPU {pu}");
        }
    }
}
