//! Which node's memory a pool uses, and which node takes in cores that none claims: by distance, package and number.

use crate::topology::{Core, NumaNode, Topology};

/// The node that buffers of this node's lanes come from: itself when it has memory that may be used, else the nearest
/// that has (by distance; else in the same package; else ordinary memory before other kinds; else the lowest number).
/// When no node has any, itself: the system then decides.
pub(super) fn nearest(topology: &Topology, numa_node: u32) -> u32 {
    let usable: Vec<&NumaNode> = topology
        .numa_nodes
        .iter()
        .filter(|node| node.memory_bytes > 0 && topology.is_node_allowed(node.os_index))
        .collect();
    if usable.iter().any(|node| node.os_index == numa_node) {
        return numa_node;
    }
    let package = topology.numa_node(numa_node).and_then(|node| node.package);
    let rank = |node: &&&NumaNode| {
        let distance = topology.distances.as_ref().and_then(|all| all.between(numa_node, node.os_index));
        (distance.unwrap_or(u64::MAX), in_other_package(package, node), node.is_special(), node.os_index)
    };
    usable.iter().min_by_key(rank).map_or(numa_node, |node| node.os_index)
}

/// The node whose pool a core joins that no node claims: one of its package, with CPUs and memory before others.
pub(super) fn adopting_node(topology: &Topology, core: &Core) -> Option<u32> {
    let rank = |node: &&NumaNode| {
        (in_other_package(core.package, node), node.cpuset.is_empty(), node.memory_bytes == 0, node.os_index)
    };
    topology.numa_nodes.iter().min_by_key(rank).map(|node| node.os_index)
}

fn in_other_package(package: Option<usize>, node: &NumaNode) -> bool {
    package.is_none() || node.package != package
}
