//! Copies out NUMA nodes: their memory, what kind it is, and the distances between them.

use std::collections::HashMap;

use hwlocality::memory::attribute::MemoryAttribute;
use hwlocality::object::TopologyObject;
use hwlocality::object::attributes::ObjectAttributes;
use hwlocality::object::distance::DistancesKind;
use hwlocality::object::types::ObjectType;

use super::copy::{Positions, info, number, os_index, pus, text};
use super::{Distances, NumaNode, linux};

/// The NUMA nodes, in hwloc's order, and after them those that are no objects of its own.
pub(super) fn numa_nodes(machine: &hwlocality::Topology, positions: &Positions) -> Vec<NumaNode> {
    let seen = machine.objects_with_type(ObjectType::NUMANode);
    let mut nodes: Vec<NumaNode> = seen.filter_map(|object| node(machine, object, positions)).collect();
    let told = if machine.is_this_system() { linux::cpus_of_nodes() } else { Vec::new() };
    if told.is_empty() {
        nodes.extend(unseen_nodes(machine, &nodes, positions));
    } else {
        let pus: HashMap<u32, Option<usize>> = machine
            .objects_with_type(ObjectType::PU)
            .filter_map(|object| Some((os_index(object)?, positions.package_of(object))))
            .collect();
        as_told(&mut nodes, told, &pus);
    }
    nodes
}

/// Marks the nodes that Linux tells of no CPUs of, and adds those with CPUs that hwloc has no object for, since their
/// memory is missing. `pus`: the PUs that there are, with their packages.
fn as_told(nodes: &mut Vec<NumaNode>, told: Vec<(u32, Vec<u32>)>, pus: &HashMap<u32, Option<usize>>) {
    for (os_index, cpus) in told {
        let cpuset: Vec<u32> = cpus.into_iter().filter(|pu| pus.contains_key(pu)).collect();
        match nodes.iter_mut().find(|node| node.os_index == os_index) {
            Some(node) => node.is_memory_only = cpuset.is_empty(),
            None if cpuset.is_empty() => {}
            None => {
                let package = pus[&cpuset[0]];
                nodes.push(NumaNode { os_index, cpuset, package, ..NumaNode::default() });
            }
        }
    }
}

fn node(machine: &hwlocality::Topology, object: &TopologyObject, positions: &Positions) -> Option<NumaNode> {
    let memory_bytes = match object.attributes() {
        Some(ObjectAttributes::NUMANode(attributes)) => attributes.local_memory().map_or(0, u64::from),
        _ => 0,
    };
    // From its nearest PUs, which are the best of those whose value is stated.
    let stated =
        |attribute: MemoryAttribute<'_>| attribute.best_initiator(object).ok().flatten().map(|(_, value)| value);
    Some(NumaNode {
        os_index: os_index(object)?,
        memory_bytes,
        kind: object.subtype().and_then(text).or_else(|| info(object, c"DAXType")),
        bandwidth_mib_per_s: stated(MemoryAttribute::bandwidth(machine)),
        latency_ns: stated(MemoryAttribute::latency(machine)),
        cpuset: pus(object),
        is_memory_only: false,
        package: positions.package_of(object),
    })
}

/// Nodes that have PUs but are no objects of their own, since their memory is missing or off limits: the complete
/// node sets of their PUs still name them. Only PUs that no node of ordinary memory claims are asked.
fn unseen_nodes(machine: &hwlocality::Topology, seen: &[NumaNode], positions: &Positions) -> Vec<NumaNode> {
    let mut unseen: Vec<NumaNode> = Vec::new();
    for object in machine.objects_with_type(ObjectType::PU) {
        let Some(pu) = os_index(object) else { continue };
        if seen.iter().any(|node| !node.is_special() && node.cpuset.binary_search(&pu).is_ok()) {
            continue;
        }
        let is_seen = |number: &u32| seen.iter().any(|node| node.os_index == *number);
        let names = object.complete_nodeset();
        let names: Vec<u32> =
            names.iter().flat_map(|set| set.iter_set()).map(number).filter(|number| !is_seen(number)).collect();
        // Several names would be those of a whole package or machine: no telling which one is the PU's own.
        let [os_index] = names[..] else { continue };
        match unseen.iter_mut().find(|node| node.os_index == os_index) {
            Some(node) => node.cpuset.push(pu),
            None => {
                let (cpuset, package) = (vec![pu], positions.package_of(object));
                unseen.push(NumaNode { os_index, cpuset, package, ..NumaNode::default() });
            }
        }
    }
    for node in &mut unseen {
        node.cpuset.sort_unstable();
    }
    unseen
}

/// Latencies between nodes: the first matrix of hwloc that is of nodes and means latency.
pub(super) fn distances(machine: &hwlocality::Topology) -> Option<Distances> {
    let all = machine.distances(Some(DistancesKind::MEANS_LATENCY)).ok()?;
    all.iter().find_map(|matrix| {
        let objects: Option<Vec<&TopologyObject>> = matrix.objects().collect();
        let objects = objects?;
        if objects.iter().any(|object| object.object_type() != ObjectType::NUMANode) {
            return None;
        }
        let nodes: Option<Vec<u32>> = objects.into_iter().map(os_index).collect();
        Some(Distances { nodes: nodes?, values: matrix.distances().to_vec() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_attached_to_cpus_is_not_taken_for_their_own_node() {
        let node = |os_index, cpuset: &[u32]| NumaNode { os_index, cpuset: cpuset.into(), ..NumaNode::default() };
        // hwloc attaches node 3 to the CPUs of node 2, which has no memory and so no object.
        let mut nodes = vec![node(0, &[0, 1]), node(3, &[2, 3])];
        let pus = HashMap::from([(0, Some(0)), (1, Some(0)), (2, Some(1)), (3, Some(1))]);
        as_told(&mut nodes, vec![(0, vec![0, 1]), (2, vec![2, 3]), (3, vec![]), (4, vec![7])], &pus);
        let told: Vec<_> = nodes.iter().map(|node| (node.os_index, node.is_memory_only, node.package)).collect();
        assert_eq!(told, [(0, false, None), (3, true, None), (2, false, Some(1))]);
        assert_eq!(nodes[2].cpuset, [2, 3]);
    }
}
