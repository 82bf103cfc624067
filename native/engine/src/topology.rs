//! The machine as plain data: packages, groups, dies, NUMA nodes, caches, cores, PUs, distances, devices, and which of
//! them are allowed.
//!
//! Nothing here keeps a handle of hwloc, so a topology can be cloned, sent, compared, and written down by hand in a
//! test. It must never know of lanes or options: what to do with a machine is `placement`'s.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::error::Result;
use hwloc::Devices;

mod copy;
mod devices;
mod hwloc;
mod linux;
mod nodes;
mod objects;
#[cfg(test)]
mod tests;
mod xml;

pub use objects::{
    Allowed, Cache, Complete, Core, CoreKind, Device, DeviceKind, Die, Distances, Group, NumaNode, Package, Pu,
};

/// Where a topology comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopologySource {
    /// The machine that this process runs on, as far as this process is allowed to use it.
    ThisMachine,
    /// A machine exported as XML by hwloc 2 (`lstopo machine.xml`).
    XmlFile(PathBuf),
    /// hwloc's synthetic description, for example `package:2 numa:1 core:8 pu:2`.
    Synthetic(String),
}

/// A machine. Lists are in hwloc's logical order, in which neighbours in the machine are neighbours in the list; OS
/// indexes may be in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topology {
    /// What this describes, for messages: a file's name, a description, or `this machine`.
    pub name: String,
    /// Whether it is the machine that this process runs on, so that threads and pages can be bound by it.
    pub is_this_machine: bool,
    /// The packages (sockets).
    pub packages: Vec<Package>,
    /// Groups of packages, or of cores inside a package.
    pub groups: Vec<Group>,
    /// The dies.
    pub dies: Vec<Die>,
    /// The NUMA nodes, those without CPUs and those without memory too.
    pub numa_nodes: Vec<NumaNode>,
    /// Data and unified caches of every level.
    pub caches: Vec<Cache>,
    /// The kinds of cores, slowest first; empty where nothing is known of them, one where all are alike.
    pub core_kinds: Vec<CoreKind>,
    /// The cores. Where the system tells of none, every PU is a core.
    pub cores: Vec<Core>,
    /// The PUs (hardware threads).
    pub pus: Vec<Pu>,
    /// Relative latencies between NUMA nodes, where the machine tells them.
    pub distances: Option<Distances>,
    /// Network and storage devices, and what each is near to; only by [`Topology::load_with_devices`].
    pub devices: Vec<Device>,
    /// What there is in all, off-line PUs too.
    pub complete: Complete,
    /// What may be used of all this.
    pub allowed: Allowed,
}

impl Topology {
    /// Loads a topology, without its devices: to look at them takes tens of milliseconds, and no lane needs them.
    ///
    /// # Errors
    /// `TopologyUnreadable`, with the file or the description: it is missing, broken, or not of hwloc 2.
    pub fn load(source: &TopologySource) -> Result<Self> {
        Self::copy_of(&hwloc::open(source, Devices::LeftOut)?, source)
    }

    /// Loads a topology with its network and storage devices.
    ///
    /// # Errors
    /// As [`Topology::load`].
    pub fn load_with_devices(source: &TopologySource) -> Result<Self> {
        Self::copy_of(&hwloc::open(source, Devices::Loaded)?, source)
    }

    fn copy_of(machine: &hwlocality::Topology, source: &TopologySource) -> Result<Self> {
        let mut topology = copy::copy_out(machine, hwloc::name(source));
        if topology.is_this_machine {
            let affinity = hwloc::affinity()?;
            topology.allowed.pus.retain(|pu| affinity.binary_search(pu).is_ok());
        }
        Ok(topology)
    }

    /// The machine as XML of hwloc 2, to be loaded elsewhere as a [`TopologySource::XmlFile`]: what loads from it is
    /// the same machine with the same limits, the process's affinity and the devices included.
    ///
    /// # Errors
    /// `TopologyUnreadable`, as [`Topology::load`].
    pub fn export_xml(source: &TopologySource) -> Result<String> {
        hwloc::export(source)
    }

    /// The node of this OS index.
    pub fn numa_node(&self, os_index: u32) -> Option<&NumaNode> {
        self.numa_nodes.iter().find(|node| node.os_index == os_index)
    }

    /// Bytes of L2 that one core has to itself: the smallest share of any allowed core. `None` where no L2 is known.
    pub fn l2_bytes_per_core(&self) -> Option<u64> {
        let allowed = |core: &&Core| core.pus.iter().any(|pu| self.is_pu_allowed(*pu));
        self.cores
            .iter()
            .filter(allowed)
            .filter_map(|core| {
                let sharers = self.cores.iter().filter(|other| other.l2 == core.l2).count() as u64;
                Some(self.caches[core.l2?].size_bytes / sharers.max(1)).filter(|bytes| *bytes > 0)
            })
            .min()
    }

    /// Which of these nodes a core belongs to that is local to all of them: one with CPUs of its own, the nearest (fewest
    /// PUs), ordinary DRAM before other kinds, one with memory before one without, the lowest number.
    pub fn home_node<'a>(&self, nodes: impl IntoIterator<Item = &'a NumaNode>) -> Option<u32> {
        let rank = |node: &&NumaNode| {
            let NumaNode { is_memory_only, memory_bytes, os_index, .. } = **node;
            (is_memory_only, node.cpuset.len(), node.is_special(), memory_bytes == 0, os_index)
        };
        nodes.into_iter().min_by_key(rank).map(|node| node.os_index)
    }

    /// Sets `numa_node` and `numa_nodes` of every core from the nodes' CPU sets.
    pub(crate) fn link_cores_to_nodes(&mut self) {
        let mut local: HashMap<u32, Vec<usize>> = HashMap::new();
        for (at, node) in self.numa_nodes.iter().enumerate() {
            for pu in &node.cpuset {
                local.entry(*pu).or_default().push(at);
            }
        }
        for at in 0..self.cores.len() {
            let nodes: Vec<&NumaNode> = self.cores[at]
                .pus
                .first()
                .and_then(|pu| local.get(pu))
                .into_iter()
                .flatten()
                .map(|n| &self.numa_nodes[*n])
                .collect();
            let mut numbers: Vec<u32> = nodes.iter().map(|node| node.os_index).collect();
            numbers.sort_unstable();
            let home = self.home_node(nodes);
            self.cores[at].numa_node = home;
            self.cores[at].numa_nodes = numbers;
        }
    }

    /// Whether this PU may be used.
    pub fn is_pu_allowed(&self, os_index: u32) -> bool {
        self.allowed.pus.binary_search(&os_index).is_ok()
    }

    /// Whether memory of this node may be used.
    pub fn is_node_allowed(&self, os_index: u32) -> bool {
        self.allowed.nodes.binary_search(&os_index).is_ok()
    }
}
