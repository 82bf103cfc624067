//! What a machine consists of: one plain struct for each kind of object.
//!
//! Objects name each other by OS index or by position in the lists of [`Topology`](super::Topology).

/// A package (socket).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// The system's number of it, where it has one.
    pub os_index: Option<u32>,
    /// What it calls itself, such as `AMD EPYC 9654 96-Core Processor`, where the system tells.
    pub model: Option<String>,
    /// OS indexes of its PUs, ascending.
    pub cpuset: Vec<u32>,
}

/// A die: a piece of silicon inside a package. Machines of one die a package have one for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Die {
    /// The system's number of it, where it has one. Not unique: many machines number dies per package.
    pub os_index: Option<u32>,
    /// Position of its package in [`Topology::packages`](super::Topology::packages), where it belongs to one.
    pub package: Option<usize>,
    /// OS indexes of its PUs, ascending.
    pub cpuset: Vec<u32>,
}

/// A level of the machine that has no better name: packages that are near each other, a cluster of cores, a part of
/// a package with its own memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// What the system calls such a group (`Cluster`, `Book`, …), where it does.
    pub kind: Option<String>,
    /// Position of the package that it is inside of, in [`Topology::packages`](super::Topology::packages); `None` for
    /// a group of packages.
    pub package: Option<usize>,
    /// OS indexes of its PUs, ascending; empty for a group that holds memory only.
    pub cpuset: Vec<u32>,
}

/// A NUMA node: memory and the PUs that are local to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NumaNode {
    /// The system's number of it.
    pub os_index: u32,
    /// Bytes of local memory; 0 for a node with CPUs only, and for one whose memory this process may not see.
    pub memory_bytes: u64,
    /// What hwloc calls the kind of memory (`DRAM`, `HBM`, `MCDRAM`, `NVM`, `CXL-DRAM`, `GPUMemory`, …), where it knows.
    pub kind: Option<String>,
    /// Bandwidth from its nearest PUs as the firmware states it, in MiB/s, where it does.
    pub bandwidth_mib_per_s: Option<u64>,
    /// Latency from its nearest PUs as the firmware states it, in ns, where it does.
    pub latency_ns: Option<u64>,
    /// OS indexes of the PUs local to it, ascending. A node with memory only has none, or those of another node that
    /// it is attached to.
    pub cpuset: Vec<u32>,
    /// Whether it is known to have no CPUs of its own: those that are local to it are another node's. Linux tells this of
    /// the machine that it runs on; a file does not.
    pub is_memory_only: bool,
    /// Position of its package in [`Topology::packages`](super::Topology::packages), where it belongs to one.
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

/// A kind of cores, on machines whose cores differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoreKind {
    /// How fast it is among the kinds, where hwloc can tell: 0 is slowest and uses least power, the highest number is
    /// fastest. (hwloc calls this number *efficiency*.)
    pub speed: Option<u32>,
    /// What the system says of it, such as (`CoreType`, `IntelAtom`) or (`FrequencyMaxMHz`, `3900`).
    pub infos: Vec<(String, String)>,
    /// OS indexes of its PUs, ascending.
    pub pus: Vec<u32>,
}

/// A core.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// Position of its package in [`Topology::packages`](super::Topology::packages).
    pub package: Option<usize>,
    /// Position of its L2 cache in [`Topology::caches`](super::Topology::caches).
    pub l2: Option<usize>,
    /// Position of its L3 cache in [`Topology::caches`](super::Topology::caches).
    pub l3: Option<usize>,
    /// Position of its kind in [`Topology::core_kinds`](super::Topology::core_kinds), where kinds are known.
    pub kind: Option<usize>,
}

/// A PU: one hardware thread, what a lane is pinned to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pu {
    /// The system's number of it.
    pub os_index: u32,
    /// Position of its core in [`Topology::cores`](super::Topology::cores).
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

/// A network or storage device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The system's name of it: `eth0`, `mlx5_0`, `nvme0n1`.
    pub name: String,
    /// What it is for.
    pub kind: DeviceKind,
    /// What it calls itself, where the system tells.
    pub model: Option<String>,
    /// Where it sits on the PCI bus, as `0000:01:00.0`.
    pub pci: Option<String>,
    /// OS indexes of the NUMA nodes nearest to it, ascending. All nodes where the machine does not tell which.
    pub numa_nodes: Vec<u32>,
    /// Positions of the packages nearest to it in [`Topology::packages`](super::Topology::packages), ascending.
    pub packages: Vec<usize>,
    /// OS indexes of the PUs nearest to it, ascending.
    pub cpuset: Vec<u32>,
}

/// What a device is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceKind {
    /// A network interface, such as `eth0`.
    Network,
    /// An RDMA device, such as `mlx5_0`.
    OpenFabrics,
    /// A block device, such as `nvme0n1`.
    Storage,
}

/// Everything that the machine is known to have, what is off-line too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Complete {
    /// OS indexes of PUs, ascending. Those that are not in [`Topology::pus`](super::Topology::pus) are off-line, or were
    /// hidden from whoever wrote the file.
    pub pus: Vec<u32>,
    /// OS indexes of NUMA nodes, ascending.
    pub nodes: Vec<u32>,
}

/// What this process may use, by cpuset, cgroup, a batch scheduler's binding and its own affinity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// OS indexes of PUs, ascending.
    pub pus: Vec<u32>,
    /// OS indexes of NUMA nodes whose memory may be used, ascending.
    pub nodes: Vec<u32>,
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
