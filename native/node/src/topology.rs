//! Where machines come from, and placements on them, as plain objects.

use std::path::PathBuf;

use napi::Result;
use napi_derive::napi;
use seedstorm_engine::error::Error;
use seedstorm_engine::limits::place_within_limits;
use seedstorm_engine::placement::{self, Placement, PlacementOptions, Share};
use seedstorm_engine::topology::{Topology, TopologySource};

use crate::content::whole32;
use crate::error::to_js;
use crate::machine::{JsTopology, topology_of};

/// Where a topology comes from: an XML file of hwloc, a synthetic description, or (neither) this machine.
#[napi(object)]
#[derive(Clone, Default)]
pub struct JsTopologySource {
    /// A machine exported as XML by hwloc 2.
    pub xml_file: Option<String>,
    /// hwloc's synthetic description.
    pub synthetic: Option<String>,
}

/// What may be asked of a placement.
#[napi(object)]
#[derive(Clone, Default)]
pub struct JsPlacementOptions {
    /// At most this many lanes in each pool, on the fastest kind of cores first.
    pub lanes_per_pool: Option<f64>,
    /// At most this many lanes in all, of every pool about as many each.
    pub max_lanes: Option<f64>,
    /// Whether a core's further hardware threads get lanes too.
    pub smt: Option<bool>,
    /// Cores of the host that get no lane: of the slowest kind first.
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

/// Pools and their lanes, and what they leave free.
#[napi(object)]
pub struct JsPlacement {
    /// The pools, in the machine's order.
    pub pools: Vec<JsPoolPlacement>,
    /// The reserved cores, as positions in the topology's `cores`, ascending.
    pub reserved_cores: Vec<u32>,
    /// Why there are fewer lanes than cores, where a CPU quota is the reason.
    pub note: Option<String>,
}

/// The engine's source.
fn source_of(source: JsTopologySource) -> TopologySource {
    match source {
        JsTopologySource { xml_file: Some(path), .. } => TopologySource::XmlFile(PathBuf::from(path)),
        JsTopologySource { synthetic: Some(description), .. } => TopologySource::Synthetic(description),
        _ => TopologySource::ThisMachine,
    }
}

/// The topology from this source, without devices.
pub fn load(source: JsTopologySource) -> std::result::Result<Topology, Error> {
    Topology::load(&source_of(source))
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

/// Loads a topology, with its network and storage devices or without.
#[napi]
pub fn load_topology(source: JsTopologySource, devices: bool) -> Result<JsTopology> {
    let source = source_of(source);
    let topology = if devices { Topology::load_with_devices(&source) } else { Topology::load(&source) };
    topology.map(topology_of).map_err(|error| to_js(&error))
}

/// A machine as XML of hwloc 2.
#[napi]
pub fn export_topology(source: JsTopologySource) -> Result<String> {
    Topology::export_xml(&source_of(source)).map_err(|error| to_js(&error))
}

/// Places lanes on a machine; on this one no more of them than its CPU quota keeps running.
#[napi]
pub fn place(source: JsTopologySource, options: JsPlacementOptions) -> Result<JsPlacement> {
    let options = options_of(&options)?;
    let placement = load(source).and_then(|topology| place_within_limits(&topology, &options));
    placement.map(|(placement, note)| placement_of(placement, note)).map_err(|error| to_js(&error))
}

fn placement_of(placement: Placement, note: Option<String>) -> JsPlacement {
    let pools = pools_of(&placement);
    let reserved_cores = placement.reserved_cores.into_iter().map(|core| core as u32).collect();
    JsPlacement { pools, reserved_cores, note }
}

/// The pools of a placement as plain objects.
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
