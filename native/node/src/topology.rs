//! Topologies and placements as plain objects.

use std::path::PathBuf;

use napi::Result;
use napi_derive::napi;
use seedstorm_engine::error::Error;
use seedstorm_engine::limits::place_within_limits;
use seedstorm_engine::placement::{self, Placement, PlacementOptions, Share};
use seedstorm_engine::topology::{self, Topology, TopologySource};

use crate::content::whole32;
use crate::error::to_js;

/// Where a topology comes from: an XML file of hwloc, a synthetic description, or (neither) this machine.
#[napi(object)]
#[derive(Clone, Default)]
pub struct JsTopologySource {
    /// A machine exported as XML by hwloc 2.
    pub xml_file: Option<String>,
    /// hwloc's synthetic description.
    pub synthetic: Option<String>,
}

/// A NUMA node.
#[napi(object)]
pub struct JsNumaNode {
    /// The system's number of it.
    pub os_index: u32,
    /// Bytes of local memory.
    pub memory_bytes: f64,
    /// DRAM, HBM, …, where hwloc knows.
    pub kind: Option<String>,
    /// OS indexes of the PUs local to it, ascending.
    pub cpuset: Vec<u32>,
}

/// A package (socket).
#[napi(object)]
pub struct JsPackage {
    /// The system's number of it, where it has one.
    pub os_index: Option<u32>,
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

/// A core.
#[napi(object)]
pub struct JsCore {
    /// The system's number of it, where it has one; not unique over packages.
    pub os_index: Option<u32>,
    /// OS indexes of its PUs.
    pub pus: Vec<u32>,
    /// OS index of the NUMA node it belongs to.
    pub numa_node: Option<u32>,
    /// Position of its package in `packages`.
    pub package_index: Option<u32>,
    /// Position of its L2 cache in `caches`.
    pub l2: Option<u32>,
    /// Position of its L3 cache in `caches`.
    pub l3: Option<u32>,
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
    /// The packages (sockets).
    pub packages: Vec<JsPackage>,
    /// The NUMA nodes.
    pub numa_nodes: Vec<JsNumaNode>,
    /// Data and unified caches of every level.
    pub caches: Vec<JsCache>,
    /// The cores.
    pub cores: Vec<JsCore>,
    /// OS indexes of all PUs.
    pub pus: Vec<u32>,
    /// Latencies between NUMA nodes, where the machine tells them.
    pub distances: Option<JsDistances>,
    /// OS indexes of the PUs that may be used.
    pub allowed_pus: Vec<u32>,
    /// OS indexes of the NUMA nodes whose memory may be used.
    pub allowed_nodes: Vec<u32>,
}

/// What may be asked of a placement.
#[napi(object)]
#[derive(Clone, Default)]
pub struct JsPlacementOptions {
    /// At most this many lanes in each pool.
    pub lanes_per_pool: Option<f64>,
    /// At most this many lanes in all, of every pool about as many each.
    pub max_lanes: Option<f64>,
    /// Whether a core's further hardware threads get lanes too.
    pub smt: Option<bool>,
    /// Cores of the host that get no lane.
    pub reserve_cores: Option<f64>,
    /// Only these NUMA nodes, by OS index.
    pub nodes: Option<Vec<f64>>,
    /// Which share of the host's cores this is, from 0.
    pub share_index: Option<f64>,
    /// How many shares there are.
    pub share_of: Option<f64>,
}

/// One lane of a placement.
#[napi(object)]
pub struct JsLanePlacement {
    /// The lane's number in the engine.
    pub index: u32,
    /// OS index of the PU that it is pinned to.
    pub pu: u32,
    /// Position of its core in the topology's `cores`.
    pub core: u32,
}

/// The lanes of one NUMA node.
#[napi(object)]
pub struct JsPoolPlacement {
    /// OS index of the NUMA node whose CPUs these are.
    pub numa_node: u32,
    /// OS index of the NUMA node that the buffers come from.
    pub memory_node: u32,
    /// The lanes.
    pub lanes: Vec<JsLanePlacement>,
}

/// The topology from this source.
pub fn load(source: JsTopologySource) -> std::result::Result<Topology, Error> {
    Topology::load(&match source {
        JsTopologySource { xml_file: Some(path), .. } => TopologySource::XmlFile(PathBuf::from(path)),
        JsTopologySource { synthetic: Some(description), .. } => TopologySource::Synthetic(description),
        _ => TopologySource::ThisMachine,
    })
}

/// The engine's placement options.
pub fn options_of(given: &JsPlacementOptions) -> Result<PlacementOptions> {
    let count =
        |what, given: Option<f64>| given.map(|given| whole32(what, given).map(|given| given as usize)).transpose();
    let nodes = |nodes: &Vec<f64>| nodes.iter().map(|node| whole32("NUMA node", *node)).collect::<Result<_>>();
    Ok(PlacementOptions {
        lanes_per_pool: count("lanes per pool", given.lanes_per_pool)?,
        max_lanes: count("lanes in all", given.max_lanes)?,
        smt: given.smt.unwrap_or(false),
        reserve_cores: count("cores to reserve", given.reserve_cores)?.unwrap_or(0),
        nodes: given.nodes.as_ref().map(nodes).transpose()?,
        share: Share {
            index: count("share", given.share_index)?.unwrap_or(0),
            of: count("shares", given.share_of)?.unwrap_or(1),
        },
    })
}

/// Loads a topology.
#[napi]
pub fn load_topology(source: JsTopologySource) -> Result<JsTopology> {
    load(source).map(topology_of).map_err(|error| to_js(&error))
}

/// Places lanes on a machine; on this one no more of them than its CPU quota keeps running.
#[napi]
pub fn place(source: JsTopologySource, options: JsPlacementOptions) -> Result<Vec<JsPoolPlacement>> {
    let options = options_of(&options)?;
    let placement = load(source).and_then(|topology| place_within_limits(&topology, &options));
    placement.map(|(placement, _)| pools_of(&placement)).map_err(|error| to_js(&error))
}

/// A placement as plain objects.
pub fn pools_of(placement: &Placement) -> Vec<JsPoolPlacement> {
    let lane = |lane: &placement::LanePlacement| JsLanePlacement {
        index: lane.index as u32,
        pu: lane.pu,
        core: lane.core as u32,
    };
    let pool = |pool: &placement::PoolPlacement| JsPoolPlacement {
        numa_node: pool.numa_node,
        memory_node: pool.memory_node,
        lanes: pool.lanes.iter().map(lane).collect(),
    };
    placement.pools.iter().map(pool).collect()
}

fn topology_of(topology: Topology) -> JsTopology {
    let position = |at: Option<usize>| at.map(|at| at as u32);
    let core = |core: topology::Core| JsCore {
        os_index: core.os_index,
        pus: core.pus,
        numa_node: core.numa_node,
        package_index: position(core.package),
        l2: position(core.l2),
        l3: position(core.l3),
    };
    let node = |node: topology::NumaNode| JsNumaNode {
        os_index: node.os_index,
        memory_bytes: node.memory_bytes as f64,
        kind: node.kind,
        cpuset: node.cpuset,
    };
    let cache =
        |cache: topology::Cache| JsCache { level: cache.level, size_bytes: cache.size_bytes as f64, pus: cache.pus };
    let distances = |distances: topology::Distances| JsDistances {
        nodes: distances.nodes,
        values: distances.values.into_iter().map(|value| value as f64).collect(),
    };
    let package = |package: topology::Package| JsPackage { os_index: package.os_index, cpuset: package.cpuset };
    JsTopology {
        name: topology.name,
        packages: topology.packages.into_iter().map(package).collect(),
        numa_nodes: topology.numa_nodes.into_iter().map(node).collect(),
        caches: topology.caches.into_iter().map(cache).collect(),
        cores: topology.cores.into_iter().map(core).collect(),
        pus: topology.pus.into_iter().map(|pu| pu.os_index).collect(),
        distances: topology.distances.map(distances),
        allowed_pus: topology.allowed.pus,
        allowed_nodes: topology.allowed.nodes,
    }
}
