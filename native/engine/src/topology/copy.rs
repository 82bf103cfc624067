//! Copies a machine of hwloc out as plain data.

use std::collections::HashMap;
use std::ffi::CStr;

use hwlocality::object::TopologyObject;
use hwlocality::object::attributes::ObjectAttributes;
use hwlocality::object::types::ObjectType;

use super::{Allowed, Cache, Complete, Core, CoreKind, Die, Group, NumaNode, Package, Pu, Topology, devices, nodes};

pub(super) fn copy_out(machine: &hwlocality::Topology, name: String) -> Topology {
    let positions = Positions::of(machine);
    let numa_nodes = nodes::numa_nodes(machine, &positions);
    let core_kinds = core_kinds(machine);
    let (cores, pus) = cores_and_pus(machine, &positions, &core_kinds);
    let mut topology = Topology {
        name,
        is_this_machine: machine.is_this_system(),
        packages: machine.objects_with_type(ObjectType::Package).map(package).collect(),
        groups: machine.objects_with_type(ObjectType::Group).map(|object| group(object, &positions)).collect(),
        dies: machine.objects_with_type(ObjectType::Die).map(|object| die(object, &positions)).collect(),
        caches: cache_objects(machine).filter_map(cache).collect(),
        distances: nodes::distances(machine),
        devices: devices::devices(machine, &numa_nodes, &positions),
        complete: complete(machine, &numa_nodes),
        allowed: allowed(machine, &pus, &numa_nodes),
        numa_nodes,
        core_kinds,
        cores,
        pus,
    };
    topology.link_cores_to_nodes();
    topology
}

/// Where objects of hwloc stand in the lists of a [`Topology`].
pub(super) struct Positions {
    packages: HashMap<u64, usize>,
    caches: HashMap<u64, usize>,
}

impl Positions {
    fn of(machine: &hwlocality::Topology) -> Self {
        fn at<'a>(objects: impl Iterator<Item = &'a TopologyObject>) -> HashMap<u64, usize> {
            objects.enumerate().map(|(at, object)| (object.global_persistent_index(), at)).collect()
        }
        Self {
            packages: at(machine.objects_with_type(ObjectType::Package)),
            caches: at(cache_objects(machine).filter(|object| cache(object).is_some())),
        }
    }

    /// The package that an object is, or is inside of.
    pub(super) fn package_of(&self, object: &TopologyObject) -> Option<usize> {
        let is_package = object.object_type() == ObjectType::Package;
        let package = if is_package { Some(object) } else { object.first_ancestor_with_type(ObjectType::Package) };
        self.packages.get(&package?.global_persistent_index()).copied()
    }

    /// The packages inside an object, ascending.
    pub(super) fn packages_inside(&self, object: &TopologyObject) -> Vec<usize> {
        let mut inside: Vec<usize> = object
            .normal_children()
            .flat_map(|child| {
                let own = self.packages.get(&child.global_persistent_index());
                own.map_or_else(|| self.packages_inside(child), |at| vec![*at])
            })
            .collect();
        inside.sort_unstable();
        inside
    }

    fn cache_of(&self, object: &TopologyObject, level: ObjectType) -> Option<usize> {
        self.caches.get(&object.first_ancestor_with_type(level)?.global_persistent_index()).copied()
    }
}

fn package(object: &TopologyObject) -> Package {
    Package { os_index: os_index(object), model: info(object, c"CPUModel"), cpuset: pus(object) }
}

fn group(object: &TopologyObject, positions: &Positions) -> Group {
    let kind = object.subtype().and_then(text);
    Group { kind, package: positions.package_of(object), cpuset: pus(object) }
}

fn die(object: &TopologyObject, positions: &Positions) -> Die {
    Die { os_index: os_index(object), package: positions.package_of(object), cpuset: pus(object) }
}

fn cache_objects(machine: &hwlocality::Topology) -> impl Iterator<Item = &TopologyObject> {
    machine.normal_objects().filter(|object| object.object_type().is_cpu_data_cache())
}

fn cache(object: &TopologyObject) -> Option<Cache> {
    let Some(ObjectAttributes::Cache(attributes)) = object.attributes() else { return None };
    let size_bytes = attributes.size().map_or(0, u64::from);
    Some(Cache { level: attributes.depth() as u32, size_bytes, pus: pus(object) })
}

fn core_kinds(machine: &hwlocality::Topology) -> Vec<CoreKind> {
    let Ok(kinds) = machine.cpu_kinds() else { return Vec::new() };
    let infos = |kind: &hwlocality::cpu::kind::CpuKind<'_>| {
        kind.infos.iter().filter_map(|info| Some((text(info.name())?, text(info.value())?))).collect()
    };
    kinds
        .map(|kind| CoreKind {
            speed: kind.efficiency.map(number),
            infos: infos(&kind),
            pus: kind.cpuset.iter_set().map(number).collect(),
        })
        .collect()
}

fn cores_and_pus(machine: &hwlocality::Topology, positions: &Positions, kinds: &[CoreKind]) -> (Vec<Core>, Vec<Pu>) {
    let mut cores: Vec<Core> = Vec::new();
    let mut core_at: HashMap<u64, usize> = HashMap::new();
    let mut all_pus = Vec::new();
    for object in machine.objects_with_type(ObjectType::PU) {
        let Some(pu) = os_index(object) else { continue };
        let owner = object.first_ancestor_with_type(ObjectType::Core).unwrap_or(object);
        let core = *core_at.entry(owner.global_persistent_index()).or_insert_with(|| {
            cores.push(Core {
                os_index: os_index(owner).filter(|_| owner.object_type() == ObjectType::Core),
                pus: Vec::new(),
                numa_node: None,
                numa_nodes: Vec::new(),
                package: positions.package_of(object),
                l2: positions.cache_of(object, ObjectType::L2Cache),
                l3: positions.cache_of(object, ObjectType::L3Cache),
                kind: kinds.iter().position(|kind| kind.pus.binary_search(&pu).is_ok()),
            });
            cores.len() - 1
        });
        cores[core].pus.push(pu);
        all_pus.push(Pu { os_index: pu, core });
    }
    (cores, all_pus)
}

fn complete(machine: &hwlocality::Topology, seen: &[NumaNode]) -> Complete {
    let mut nodes: Vec<u32> = machine.complete_nodeset().iter_set().map(number).collect();
    nodes.extend(seen.iter().map(|node| node.os_index));
    nodes.sort_unstable();
    nodes.dedup();
    Complete { pus: machine.complete_cpuset().iter_set().map(number).collect(), nodes }
}

/// Limits may name what does not exist (a mask of all ones, CPUs switched off): asked of what does.
fn allowed(machine: &hwlocality::Topology, pus: &[Pu], nodes: &[NumaNode]) -> Allowed {
    let (pu_limits, node_limits) = (machine.allowed_cpuset(), machine.allowed_nodeset());
    let mut allowed = Allowed {
        pus: pus.iter().map(|pu| pu.os_index).filter(|pu| pu_limits.is_set(*pu as usize)).collect(),
        nodes: nodes.iter().map(|node| node.os_index).filter(|node| node_limits.is_set(*node as usize)).collect(),
    };
    allowed.pus.sort_unstable();
    allowed.nodes.sort_unstable();
    allowed
}

/// OS indexes of an object's PUs, ascending.
pub(super) fn pus(object: &TopologyObject) -> Vec<u32> {
    object.cpuset().iter().flat_map(|set| set.iter_set()).map(number).collect()
}

pub(super) fn os_index(object: &TopologyObject) -> Option<u32> {
    object.os_index().and_then(|index| u32::try_from(index).ok())
}

pub(super) fn number(index: impl Into<usize>) -> u32 {
    u32::try_from(index.into()).expect("hwloc's indexes are 32 bits wide")
}

/// What the system says of an object under this key.
pub(super) fn info(object: &TopologyObject, key: &CStr) -> Option<String> {
    object.infos().iter().find(|info| info.name() == key).and_then(|info| text(info.value()))
}

/// Text of hwloc without the blanks that firmware pads it with; `None` when nothing is left.
pub(super) fn text(of: &CStr) -> Option<String> {
    let text = of.to_string_lossy();
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
