//! A machine as plain objects.

use napi_derive::napi;
use seedstorm_engine::topology::{self, DeviceKind, Topology};

/// A NUMA node.
#[napi(object)]
pub struct JsNumaNode {
    /// The system's number of it.
    pub os_index: u32,
    /// Bytes of local memory; 0 for a node with CPUs only, and where the machine does not tell.
    pub memory_bytes: f64,
    /// DRAM, HBM, CXL-DRAM, NVM, …, where hwloc knows.
    pub kind: Option<String>,
    /// Bandwidth from its nearest PUs as the firmware states it, in MiB/s, where it does.
    pub bandwidth_mib_per_s: Option<f64>,
    /// Latency from its nearest PUs as the firmware states it, in ns, where it does.
    pub latency_ns: Option<f64>,
    /// OS indexes of the PUs local to it, ascending. A node with memory only has none, or those of another node.
    pub cpuset: Vec<u32>,
    /// Position of its package in `packages`, where it belongs to one.
    pub package_index: Option<u32>,
}

/// A package (socket).
#[napi(object)]
pub struct JsPackage {
    /// The system's number of it, where it has one.
    pub os_index: Option<u32>,
    /// What it calls itself, where the system tells.
    pub model: Option<String>,
    /// OS indexes of its PUs, ascending.
    pub cpuset: Vec<u32>,
}

/// A level of the machine that has no better name: packages that are near each other, or cores inside a package.
#[napi(object)]
pub struct JsGroup {
    /// What the system calls such a group (`Cluster`, `Book`, …), where it does.
    pub kind: Option<String>,
    /// Position in `packages` of the package that it is inside of; absent for a group of packages.
    pub package_index: Option<u32>,
    /// OS indexes of its PUs, ascending; empty for a group that holds memory only.
    pub cpuset: Vec<u32>,
}

/// A die: a piece of silicon inside a package.
#[napi(object)]
pub struct JsDie {
    /// The system's number of it, where it has one; not unique over packages.
    pub os_index: Option<u32>,
    /// Position of its package in `packages`.
    pub package_index: Option<u32>,
    /// OS indexes of its PUs, ascending.
    pub cpuset: Vec<u32>,
}

/// A data or unified cache.
#[napi(object)]
pub struct JsCache {
    /// 1 for L1, 2 for L2, and so on.
    pub level: u32,
    /// Its size; 0 where the system does not tell.
    pub size_bytes: f64,
    /// OS indexes of the PUs that share it, ascending.
    pub pus: Vec<u32>,
}

/// Something that the system says, by name.
#[napi(object)]
pub struct JsInfo {
    /// Its name, such as `CoreType`.
    pub name: String,
    /// What is said, such as `IntelAtom`.
    pub value: String,
}

/// A kind of cores, on machines whose cores differ.
#[napi(object)]
pub struct JsCoreKind {
    /// How fast it is among the kinds, where hwloc can tell: 0 is slowest and uses least power.
    pub speed: Option<u32>,
    /// What the system says of it, such as its type and frequencies.
    pub infos: Vec<JsInfo>,
    /// OS indexes of its PUs, ascending.
    pub pus: Vec<u32>,
}

/// A core.
#[napi(object)]
pub struct JsCore {
    /// The system's number of it, where it has one; not unique over packages.
    pub os_index: Option<u32>,
    /// OS indexes of its PUs.
    pub pus: Vec<u32>,
    /// OS index of the NUMA node it belongs to: of those local to it the nearest, ordinary memory before other kinds.
    pub numa_node: Option<u32>,
    /// OS indexes of all NUMA nodes local to it, ascending.
    pub numa_nodes: Vec<u32>,
    /// Position of its package in `packages`.
    pub package_index: Option<u32>,
    /// Position of its L2 cache in `caches`.
    pub l2: Option<u32>,
    /// Position of its L3 cache in `caches`.
    pub l3: Option<u32>,
    /// Position of its kind in `coreKinds`, where kinds are known.
    pub kind: Option<u32>,
}

/// A network or storage device.
#[napi(object)]
pub struct JsDevice {
    /// The system's name of it: `eth0`, `mlx5_0`, `nvme0n1`.
    pub name: String,
    /// What it is for; `openfabrics` is an RDMA device.
    #[napi(ts_type = "'network' | 'openfabrics' | 'storage'")]
    pub kind: String,
    /// What it calls itself, where the system tells.
    pub model: Option<String>,
    /// Where it sits on the PCI bus, as `0000:01:00.0`.
    pub pci: Option<String>,
    /// OS indexes of the NUMA nodes nearest to it, ascending; all of them where the machine does not tell which.
    pub numa_nodes: Vec<u32>,
    /// Positions of the packages nearest to it in `packages`, ascending.
    pub packages: Vec<u32>,
    /// OS indexes of the PUs nearest to it, ascending.
    pub cpuset: Vec<u32>,
}

/// Relative latencies between NUMA nodes.
#[napi(object)]
pub struct JsDistances {
    /// OS indexes of the nodes, in the order of rows and columns.
    pub nodes: Vec<u32>,
    /// Row after row: from the row's node to the column's.
    pub values: Vec<f64>,
}

/// A machine.
#[napi(object)]
pub struct JsTopology {
    /// What this describes.
    pub name: String,
    /// Whether it is the machine that this process runs on.
    pub is_this_machine: bool,
    /// The packages (sockets).
    pub packages: Vec<JsPackage>,
    /// Groups of packages, or of cores inside a package.
    pub groups: Vec<JsGroup>,
    /// The dies.
    pub dies: Vec<JsDie>,
    /// The NUMA nodes.
    pub numa_nodes: Vec<JsNumaNode>,
    /// Data and unified caches of every level.
    pub caches: Vec<JsCache>,
    /// The kinds of cores, slowest first; empty where nothing is known of them, one where all are alike.
    pub core_kinds: Vec<JsCoreKind>,
    /// The cores.
    pub cores: Vec<JsCore>,
    /// OS indexes of all PUs that are on-line.
    pub pus: Vec<u32>,
    /// Latencies between NUMA nodes, where the machine tells them.
    pub distances: Option<JsDistances>,
    /// Network and storage devices, where they were asked for.
    pub devices: Vec<JsDevice>,
    /// OS indexes of all PUs that there are, ascending. Those that are not in `pus` are off-line, or were hidden from
    /// whoever wrote the file.
    pub complete_pus: Vec<u32>,
    /// OS indexes of all NUMA nodes that there are, ascending.
    pub complete_nodes: Vec<u32>,
    /// OS indexes of the PUs that may be used.
    pub allowed_pus: Vec<u32>,
    /// OS indexes of the NUMA nodes whose memory may be used.
    pub allowed_nodes: Vec<u32>,
}

/// A machine as plain objects.
pub fn topology_of(topology: Topology) -> JsTopology {
    let position = |at: Option<usize>| at.map(|at| at as u32);
    let core = |core: topology::Core| JsCore {
        os_index: core.os_index,
        pus: core.pus,
        numa_node: core.numa_node,
        numa_nodes: core.numa_nodes,
        package_index: position(core.package),
        l2: position(core.l2),
        l3: position(core.l3),
        kind: position(core.kind),
    };
    let node = |node: topology::NumaNode| JsNumaNode {
        os_index: node.os_index,
        memory_bytes: node.memory_bytes as f64,
        kind: node.kind,
        bandwidth_mib_per_s: node.bandwidth_mib_per_s.map(|value| value as f64),
        latency_ns: node.latency_ns.map(|value| value as f64),
        cpuset: node.cpuset,
        package_index: position(node.package),
    };
    let cache =
        |cache: topology::Cache| JsCache { level: cache.level, size_bytes: cache.size_bytes as f64, pus: cache.pus };
    let distances = |distances: topology::Distances| JsDistances {
        nodes: distances.nodes,
        values: distances.values.into_iter().map(|value| value as f64).collect(),
    };
    let package = |package: topology::Package| JsPackage {
        os_index: package.os_index,
        model: package.model,
        cpuset: package.cpuset,
    };
    let group = |group: topology::Group| JsGroup {
        kind: group.kind,
        package_index: position(group.package),
        cpuset: group.cpuset,
    };
    let die =
        |die: topology::Die| JsDie { os_index: die.os_index, package_index: position(die.package), cpuset: die.cpuset };
    let core_kind = |kind: topology::CoreKind| JsCoreKind {
        speed: kind.speed,
        infos: kind.infos.into_iter().map(|(name, value)| JsInfo { name, value }).collect(),
        pus: kind.pus,
    };
    JsTopology {
        name: topology.name,
        is_this_machine: topology.is_this_machine,
        packages: topology.packages.into_iter().map(package).collect(),
        groups: topology.groups.into_iter().map(group).collect(),
        dies: topology.dies.into_iter().map(die).collect(),
        numa_nodes: topology.numa_nodes.into_iter().map(node).collect(),
        caches: topology.caches.into_iter().map(cache).collect(),
        core_kinds: topology.core_kinds.into_iter().map(core_kind).collect(),
        cores: topology.cores.into_iter().map(core).collect(),
        pus: topology.pus.into_iter().map(|pu| pu.os_index).collect(),
        distances: topology.distances.map(distances),
        devices: topology.devices.into_iter().map(device_of).collect(),
        complete_pus: topology.complete.pus,
        complete_nodes: topology.complete.nodes,
        allowed_pus: topology.allowed.pus,
        allowed_nodes: topology.allowed.nodes,
    }
}

fn device_of(device: topology::Device) -> JsDevice {
    let kind = match device.kind {
        DeviceKind::Network => "network",
        DeviceKind::OpenFabrics => "openfabrics",
        DeviceKind::Storage => "storage",
    };
    JsDevice {
        name: device.name,
        kind: kind.into(),
        model: device.model,
        pci: device.pci,
        numa_nodes: device.numa_nodes,
        packages: device.packages.into_iter().map(|at| at as u32).collect(),
        cpuset: device.cpuset,
    }
}
