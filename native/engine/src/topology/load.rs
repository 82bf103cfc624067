//! Reads a machine through hwloc and copies it out as plain data. The only file that speaks hwloc.
//!
//! Everything is loaded, what is not allowed too, so that a node whose memory is off limits is still known by number.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use hwlocality::object::TopologyObject;
use hwlocality::object::attributes::ObjectAttributes;
use hwlocality::object::distance::DistancesKind;
use hwlocality::object::types::ObjectType;
use hwlocality::topology::builder::{BuildFlags, TopologyBuilder};

use super::{Allowed, Cache, Core, Distances, NumaNode, Package, Pu, Topology, TopologySource};
use crate::apart;
use crate::error::{Code, Error, Result};

/// The largest XML file that is read; real machines of 1,000 PUs need about 1 MiB.
const MAX_XML_BYTES: u64 = 64 << 20;

pub(super) fn load(source: &TopologySource) -> Result<Topology> {
    let builder = TopologyBuilder::new()
        .with_flags(BuildFlags::INCLUDE_DISALLOWED)
        .map_err(|error| unreadable(&name(source), &error.to_string(), "report this as a defect"))?;
    let refused = || unreadable(&name(source), why(source), mend(source));
    let builder = match source {
        TopologySource::ThisMachine => builder,
        TopologySource::XmlFile(path) => {
            let xml = read_xml(path)?;
            if xml.contains("<topology version=\"3") {
                return Err(unreadable(&name(source), "it was written by hwloc 3, and hwloc 2 reads it", mend(source)));
            }
            builder.from_xml(&xml).map_err(|_| refused())?
        }
        TopologySource::Synthetic(description) => builder.from_synthetic(description).map_err(|_| refused())?,
    };
    let machine = builder.build().map_err(|_| refused())?;
    let mut topology = copy_out(&machine, name(source));
    if topology.is_this_machine {
        restrict_to_affinity(&mut topology)?;
    }
    Ok(topology)
}

/// What a refusal of hwloc means: its own error is no more than "invalid argument".
fn why(source: &TopologySource) -> &'static str {
    match source {
        TopologySource::ThisMachine => "hwloc cannot make sense of it",
        TopologySource::XmlFile(_) => "it is not a whole XML file of hwloc 2",
        TopologySource::Synthetic(_) => "it is not a synthetic description of hwloc",
    }
}

fn mend(source: &TopologySource) -> &'static str {
    match source {
        TopologySource::ThisMachine => "run `lstopo` to see what hwloc says of this machine",
        TopologySource::XmlFile(_) => XML_MEND,
        TopologySource::Synthetic(_) => "write it as hwloc does, for example \"package:2 numa:1 core:8 pu:2\"",
    }
}

const XML_MEND: &str = "export the machine again with hwloc 2: lstopo machine.xml";

fn name(source: &TopologySource) -> String {
    match source {
        TopologySource::ThisMachine => "this machine".into(),
        TopologySource::XmlFile(path) => path.display().to_string(),
        TopologySource::Synthetic(description) => format!("\"{description}\""),
    }
}

fn unreadable(name: &str, why: &str, mend: &str) -> Error {
    Error::new(Code::TopologyUnreadable, format!("the topology of {name} cannot be loaded: {why}"), mend)
}

/// The file is read here and not by hwloc, to tell a missing file from a broken one.
fn read_xml(path: &Path) -> Result<String> {
    let shown = path.display().to_string();
    let refused = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::InvalidData => unreadable(&shown, "it is not text", XML_MEND),
        _ => unreadable(&shown, &error.to_string(), "check the path and its rights"),
    };
    let mut xml = String::new();
    File::open(path).map_err(refused)?.take(MAX_XML_BYTES + 1).read_to_string(&mut xml).map_err(refused)?;
    if xml.len() as u64 > MAX_XML_BYTES {
        return Err(unreadable(&shown, "it is larger than 64 MiB", XML_MEND));
    }
    if xml.trim().is_empty() {
        return Err(unreadable(&shown, "it is empty", XML_MEND));
    }
    Ok(xml)
}

/// hwloc honours the cgroup's cpuset but not the process's own affinity (`taskset`, Slurm's binding).
fn restrict_to_affinity(topology: &mut Topology) -> Result<()> {
    let affinity = apart::allowed().map_err(|error| {
        unreadable(
            "this machine",
            &format!("the affinity of the process cannot be read: {error}"),
            "allow the system call sched_getaffinity",
        )
    })?;
    topology.allowed.pus.retain(|pu| affinity.binary_search(pu).is_ok());
    Ok(())
}

fn copy_out(machine: &hwlocality::Topology, name: String) -> Topology {
    let package_objects = machine.objects_with_type(ObjectType::Package);
    let packages: Vec<Package> =
        package_objects.clone().map(|object| Package { os_index: os_index(object), cpuset: pus(object) }).collect();
    let package_at: HashMap<u64, usize> =
        package_objects.enumerate().map(|(at, object)| (object.global_persistent_index(), at)).collect();

    let mut caches = Vec::new();
    let mut cache_at = HashMap::new();
    for object in machine.normal_objects().filter(|object| object.object_type().is_cpu_data_cache()) {
        let Some(ObjectAttributes::Cache(attributes)) = object.attributes() else { continue };
        cache_at.insert(object.global_persistent_index(), caches.len());
        let size_bytes = attributes.size().map_or(0, u64::from);
        caches.push(Cache { level: attributes.depth() as u32, size_bytes, pus: pus(object) });
    }

    let package_of = |object: &TopologyObject| {
        let package = object.first_ancestor_with_type(ObjectType::Package)?;
        package_at.get(&package.global_persistent_index()).copied()
    };
    let mut numa_nodes: Vec<NumaNode> = Vec::new();
    for object in machine.objects_with_type(ObjectType::NUMANode) {
        numa_nodes.extend(os_index(object).map(|number| node(object, number, package_of(object))));
    }
    let unseen = unseen_nodes(machine, &numa_nodes, package_of);
    numa_nodes.extend(unseen);

    let mut cores: Vec<Core> = Vec::new();
    let mut core_at: HashMap<u64, usize> = HashMap::new();
    let mut all_pus = Vec::new();
    for object in machine.objects_with_type(ObjectType::PU) {
        let Some(pu) = os_index(object) else { continue };
        let owner = object.first_ancestor_with_type(ObjectType::Core).unwrap_or(object);
        let core = *core_at.entry(owner.global_persistent_index()).or_insert_with(|| {
            let cache = |level| {
                let cache = object.first_ancestor_with_type(level)?;
                cache_at.get(&cache.global_persistent_index()).copied()
            };
            let os_index = os_index(owner).filter(|_| owner.object_type() == ObjectType::Core);
            let package = package_of(object);
            let (l2, l3) = (cache(ObjectType::L2Cache), cache(ObjectType::L3Cache));
            cores.push(Core { os_index, pus: Vec::new(), numa_node: None, numa_nodes: Vec::new(), package, l2, l3 });
            cores.len() - 1
        });
        cores[core].pus.push(pu);
        all_pus.push(Pu { os_index: pu, core });
    }

    // Limits may name what does not exist (a mask of all ones, CPUs switched off): asked of what does.
    let (pu_limits, node_limits) = (machine.allowed_cpuset(), machine.allowed_nodeset());
    let mut allowed = Allowed {
        pus: all_pus.iter().map(|pu| pu.os_index).filter(|pu| pu_limits.is_set(*pu as usize)).collect(),
        nodes: numa_nodes.iter().map(|node| node.os_index).filter(|n| node_limits.is_set(*n as usize)).collect(),
    };
    allowed.pus.sort_unstable();
    allowed.nodes.sort_unstable();
    let mut topology = Topology {
        name,
        is_this_machine: machine.is_this_system(),
        packages,
        numa_nodes,
        caches,
        cores,
        pus: all_pus,
        distances: distances(machine),
        allowed,
    };
    topology.link_cores_to_nodes();
    topology
}

fn node(object: &TopologyObject, os_index: u32, package: Option<usize>) -> NumaNode {
    let memory_bytes = match object.attributes() {
        Some(ObjectAttributes::NUMANode(attributes)) => attributes.local_memory().map_or(0, u64::from),
        _ => 0,
    };
    let kind = object.subtype().map(|kind| kind.to_string_lossy().into_owned());
    NumaNode { os_index, memory_bytes, kind, cpuset: pus(object), package }
}

/// Nodes that have PUs but are no objects of their own, since their memory is missing or off limits: the complete
/// node sets of their PUs still name them.
fn unseen_nodes(
    machine: &hwlocality::Topology,
    seen: &[NumaNode],
    package_of: impl Fn(&TopologyObject) -> Option<usize>,
) -> Vec<NumaNode> {
    let mut unseen: Vec<NumaNode> = Vec::new();
    for object in machine.objects_with_type(ObjectType::PU) {
        let Some(pu) = os_index(object) else { continue };
        if seen.iter().any(|node| node.cpuset.binary_search(&pu).is_ok()) {
            continue;
        }
        // Several names would be those of a whole package or machine: no telling which one is the PU's own.
        let names: Vec<u32> = object.complete_nodeset().iter().flat_map(|set| set.iter_set()).map(number).collect();
        let [os_index] = names[..] else { continue };
        match unseen.iter_mut().find(|node| node.os_index == os_index) {
            Some(node) => node.cpuset.push(pu),
            None if seen.iter().any(|node| node.os_index == os_index) => {}
            None => {
                let (cpuset, package) = (vec![pu], package_of(object));
                unseen.push(NumaNode { os_index, memory_bytes: 0, kind: None, cpuset, package });
            }
        }
    }
    for node in &mut unseen {
        node.cpuset.sort_unstable();
    }
    unseen
}

fn distances(machine: &hwlocality::Topology) -> Option<Distances> {
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

fn pus(object: &TopologyObject) -> Vec<u32> {
    object.cpuset().iter().flat_map(|set| set.iter_set()).map(number).collect()
}

fn os_index(object: &TopologyObject) -> Option<u32> {
    object.os_index().and_then(|index| u32::try_from(index).ok())
}

fn number(index: impl Into<usize>) -> u32 {
    u32::try_from(index.into()).expect("hwloc's indexes are 32 bits wide")
}
