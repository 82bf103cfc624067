//! Which lanes a machine gets: a pure function from a topology and options to pools and lanes. It must never ask the
//! system anything, so that the placement on a node that is not at hand can be seen and tested.

use crate::error::{Code, Error, Result};
use crate::topology::Topology;

/// What may be asked of a placement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlacementOptions {
    /// At most this many lanes in each pool, spread over the pool's caches. `None`: as many as there are.
    pub lanes_per_pool: Option<usize>,
    /// Whether a core's further hardware threads get lanes too.
    pub smt: bool,
    /// Cores of the host that get no lane, for the kernel's and the agent's own work.
    pub reserve_cores: usize,
    /// Only these NUMA nodes, by OS index. `None`: all.
    pub nodes: Option<Vec<u32>>,
    /// Which part of the host's cores is this engine's.
    pub share: Share,
}

/// Several agents on one host share out its cores: this one is `index` of `of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// From 0.
    pub index: usize,
    /// How many agents there are on the host; at least 1.
    pub of: usize,
}

impl Default for Share {
    fn default() -> Self {
        Self { index: 0, of: 1 }
    }
}

/// Pools and their lanes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The pools, in the machine's order; each has at least one lane.
    pub pools: Vec<PoolPlacement>,
}

/// The lanes of one NUMA node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolPlacement {
    /// OS index of the NUMA node whose CPUs these are.
    pub numa_node: u32,
    /// OS index of the NUMA node that the buffers come from: the same, or the nearest one that has memory.
    pub memory_node: u32,
    /// The lanes, at least one.
    pub lanes: Vec<LanePlacement>,
}

/// One lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LanePlacement {
    /// The lane's number in the engine, counting through all pools.
    pub index: usize,
    /// OS index of the PU that it is pinned to.
    pub pu: u32,
    /// Position of its core in [`Topology::cores`].
    pub core: usize,
    /// Position of its L2 cache in [`Topology::caches`], where it is known.
    pub l2: Option<usize>,
    /// Position of its L3 cache in [`Topology::caches`], where it is known.
    pub l3: Option<usize>,
    /// Position of its package in [`Topology::packages`], where it is known.
    pub package: Option<usize>,
}

impl Placement {
    /// How many lanes there are in all pools.
    pub fn lane_count(&self) -> usize {
        self.pools.iter().map(|pool| pool.lanes.len()).sum()
    }
}

/// Places lanes on a machine.
///
/// # Errors
/// `NoCores` when nothing is left to place a lane on; `InvalidArgument` for options that contradict the machine.
pub fn place(topology: &Topology, options: &PlacementOptions) -> Result<Placement> {
    let _ = options;
    let node = topology.numa_nodes.first().map_or(0, |node| node.os_index);
    let first = |core: &crate::topology::Core| core.pus.iter().copied().find(|pu| topology.is_pu_allowed(*pu));
    let lanes: Vec<LanePlacement> = topology
        .cores
        .iter()
        .enumerate()
        .filter_map(|(at, core)| Some((at, core, first(core)?)))
        .enumerate()
        .map(|(index, (at, core, pu))| LanePlacement {
            index,
            pu,
            core: at,
            l2: core.l2,
            l3: core.l3,
            package: core.package,
        })
        .collect();
    if lanes.is_empty() {
        return Err(Error::new(Code::NoCores, "no core is left for a lane", "allow this process at least one core"));
    }
    Ok(Placement { pools: vec![PoolPlacement { numa_node: node, memory_node: node, lanes }] })
}
