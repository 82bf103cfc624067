//! The machine as plain data: packages, NUMA nodes, caches, cores, PUs, distances, and which of them are allowed.
//!
//! Nothing here keeps a handle of hwloc, so a topology can be cloned, sent, compared, and written down by hand in a
//! test. It must never know of lanes or options: what to do with a machine is `placement`'s.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::error::Result;

mod load;
#[cfg(test)]
mod tests;

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    /// What this describes, for messages: a file's name, a description, or `this machine`.
    pub name: String,
    /// Whether it is the machine that this process runs on, so that threads and pages can be bound by it.
    pub is_this_machine: bool,
    /// The packages (sockets).
    pub packages: Vec<Package>,
    /// The NUMA nodes, those without CPUs and those without memory too.
    pub numa_nodes: Vec<NumaNode>,
    /// Data and unified caches of every level.
    pub caches: Vec<Cache>,
    /// The cores. Where the system tells of none, every PU is a core.
    pub cores: Vec<Core>,
    /// The PUs (hardware threads).
    pub pus: Vec<Pu>,
    /// Relative latencies between NUMA nodes, where the machine tells them.
    pub distances: Option<Distances>,
    /// What may be used of all this.
    pub allowed: Allowed,
}

/// A package (socket).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// The system's number of it, where it has one.
    pub os_index: Option<u32>,
    /// OS indexes of its PUs, ascending.
    pub cpuset: Vec<u32>,
}

/// A NUMA node: memory and the PUs that are local to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumaNode {
    /// The system's number of it.
    pub os_index: u32,
    /// Bytes of local memory; 0 for a node with CPUs only, and for one whose memory this process may not see.
    pub memory_bytes: u64,
    /// What hwloc calls the kind of memory (`DRAM`, `HBM`, `MCDRAM`, `GPUMemory`, …), where it knows.
    pub kind: Option<String>,
    /// OS indexes of the PUs local to it, ascending; empty for a node with memory only.
    pub cpuset: Vec<u32>,
    /// Position of its package in [`Topology::packages`], where it belongs to one.
    pub package: Option<usize>,
}

/// A data or unified cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    /// 1 for L1, 2 for L2, and so on.
    pub level: u32,
    /// Its size; 0 where the system does not tell.
    pub size_bytes: u64,
    /// OS indexes of the PUs that share it, ascending.
    pub pus: Vec<u32>,
}

/// A core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Core {
    /// The system's number of it, where it has one. Not unique: many machines number cores per package.
    pub os_index: Option<u32>,
    /// OS indexes of its PUs in hwloc's order: the first is the one to use when only one is.
    pub pus: Vec<u32>,
    /// OS index of the NUMA node it belongs to: of those local to it, the one nearest (fewest PUs, memory that is
    /// ordinary DRAM before any other kind, lowest number). `None` where the system names no node for it.
    pub numa_node: Option<u32>,
    /// OS indexes of all NUMA nodes local to it, ascending: DRAM and HBM of one package, for example.
    pub numa_nodes: Vec<u32>,
    /// Position of its package in [`Topology::packages`].
    pub package: Option<usize>,
    /// Position of its L2 cache in [`Topology::caches`].
    pub l2: Option<usize>,
    /// Position of its L3 cache in [`Topology::caches`].
    pub l3: Option<usize>,
}

/// A PU: one hardware thread, what a lane is pinned to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pu {
    /// The system's number of it.
    pub os_index: u32,
    /// Position of its core in [`Topology::cores`].
    pub core: usize,
}

/// Relative latencies between NUMA nodes; smaller is nearer, 10 is local by the convention of ACPI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distances {
    /// OS indexes of the nodes, in the order of rows and columns.
    pub nodes: Vec<u32>,
    /// `nodes.len()` × `nodes.len()` values, row after row: from the row's node to the column's.
    pub values: Vec<u64>,
}

/// What this process may use, by cpuset, cgroup, a batch scheduler's binding and its own affinity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// OS indexes of PUs, ascending.
    pub pus: Vec<u32>,
    /// OS indexes of NUMA nodes whose memory may be used, ascending.
    pub nodes: Vec<u32>,
}

impl Topology {
    /// Loads a topology.
    ///
    /// # Errors
    /// `TopologyUnreadable`, with the file or the description: it is missing, broken, or not of hwloc 2.
    pub fn load(source: &TopologySource) -> Result<Self> {
        load::load(source)
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

    /// Which of these nodes a core belongs to that is local to all of them: the nearest (fewest PUs), ordinary DRAM
    /// before other kinds, one with memory before one without, the lowest number.
    pub fn home_node<'a>(&self, nodes: impl IntoIterator<Item = &'a NumaNode>) -> Option<u32> {
        let rank = |node: &&NumaNode| (node.cpuset.len(), node.is_special(), node.memory_bytes == 0, node.os_index);
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

impl NumaNode {
    /// Whether its memory is known to be of another kind than ordinary DRAM.
    pub fn is_special(&self) -> bool {
        self.kind.as_deref().is_some_and(|kind| kind != "DRAM")
    }
}

impl Distances {
    /// The latency from one node to another, where both are known.
    pub fn between(&self, from: u32, to: u32) -> Option<u64> {
        let at = |node| self.nodes.iter().position(|other| *other == node);
        self.values.get(at(from)? * self.nodes.len() + at(to)?).copied()
    }
}
