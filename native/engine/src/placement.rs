//! Which lanes a machine gets: a pure function from a topology and options to pools and lanes. It must never ask the
//! system anything, so that the placement on a node that is not at hand can be seen and tested.

use crate::error::{Code, Error, Result};
use crate::topology::Topology;

mod choose;
mod memory;
#[cfg(test)]
mod tests;

/// What may be asked of a placement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlacementOptions {
    /// At most this many lanes in each pool, on the fastest kind of cores first and spread over the pool's caches.
    /// `None`: as many as there are.
    pub lanes_per_pool: Option<usize>,
    /// At most this many lanes in all, of every pool about as many each. `None`: as many as there are.
    pub max_lanes: Option<usize>,
    /// Whether a core's further hardware threads get lanes too.
    pub smt: bool,
    /// Cores of the host that get no lane, for the kernel's and the agent's own work: of the slowest kind first.
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
    /// The reserved cores, as positions in [`Topology::cores`], ascending; of the whole host, whatever the share.
    pub reserved_cores: Vec<usize>,
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

/// Places lanes on a machine: one on the first allowed PU of every core (with `smt` on all of them), a pool for every
/// NUMA node that has any. Reserved cores are taken off first, then the share, then `lanes_per_pool` and `max_lanes`.
///
/// Cores of all kinds get lanes, since a lane on a slow core still adds to the total; the kind counts where there is a
/// choice: slow cores are reserved first, fast ones chosen first. Kinds of unknown speed, and cores of no kind, are
/// taken for slowest.
///
/// Shares are disjoint slices of neighbouring cores and together all of them. When there are more agents than cores,
/// each has one core, and cores are used by several agents in turn.
///
/// # Errors
/// `NoCores` when nothing is left to place a lane on. `InvalidArgument` for a NUMA node that does not exist, for more
/// lanes per pool than any pool has room for, and for a share that is no share.
pub fn place(topology: &Topology, options: &PlacementOptions) -> Result<Placement> {
    check(topology, options)?;
    let mut pools = cores_by_pool(topology, options);
    if pools.is_empty() {
        return Err(no_cores(topology, options));
    }
    let reserved_cores = choose::reserve(topology, &mut pools, options.reserve_cores).map_err(|cores| {
        Error::new(
            Code::NoCores,
            format!(
                "{} of {}'s {cores} usable cores are to be reserved: none is left",
                options.reserve_cores, topology.name
            ),
            "reserve fewer cores",
        )
    })?;
    let room = |pool: &Pool| pool.cores.iter().map(|core| usable_pus(topology, options, *core).len()).sum::<usize>();
    let most = pools.iter().map(room).max().unwrap_or(0);
    if let Some(asked) = options.lanes_per_pool.filter(|asked| *asked > most) {
        let what = format!(
            "{asked} lanes per pool were asked for, and the largest pool of {} has room for {most}",
            topology.name
        );
        return Err(Error::new(
            Code::InvalidArgument,
            what,
            "ask for fewer lanes per pool, or for hardware threads too",
        ));
    }
    choose::share(&mut pools, options.share);
    let rooms: Vec<usize> = pools.iter().map(room).collect();
    let limits = choose::limits(&rooms, options.lanes_per_pool, options.max_lanes);
    let mut index = 0;
    let with_lanes = std::iter::zip(&pools, limits).filter(|(_, limit)| *limit > 0);
    let pools = with_lanes.map(|(pool, limit)| {
        let memory_node = memory::nearest(topology, pool.numa_node);
        let chosen = choose::lanes(topology, pool, limit, |core| usable_pus(topology, options, core));
        let lanes = chosen.into_iter().map(|(at, pu)| {
            let core = &topology.cores[at];
            index += 1;
            LanePlacement { index: index - 1, pu, core: at, l2: core.l2, l3: core.l3, package: core.package }
        });
        PoolPlacement { numa_node: pool.numa_node, memory_node, lanes: lanes.collect() }
    });
    Ok(Placement { pools: pools.collect(), reserved_cores })
}

/// The cores that a pool may use, as positions in [`Topology::cores`], ascending; at least one.
struct Pool {
    numa_node: u32,
    cores: Vec<usize>,
}

fn check(topology: &Topology, options: &PlacementOptions) -> Result<()> {
    let invalid = |what: String, mend: &str| Err(Error::new(Code::InvalidArgument, what, mend));
    let Share { index, of } = options.share;
    if index >= of {
        return invalid(format!("share {index} of {of} does not exist"), "count shares from 0 to one less than all");
    }
    for (limit, what) in [(options.lanes_per_pool, "0 lanes per pool"), (options.max_lanes, "0 lanes in all")] {
        if limit == Some(0) {
            return invalid(format!("{what} were asked for"), "ask for at least one");
        }
    }
    let unknown = |node: &&u32| topology.numa_node(**node).is_none();
    if let Some(node) = options.nodes.iter().flatten().find(unknown) {
        let mut known: Vec<u32> = topology.numa_nodes.iter().map(|node| node.os_index).collect();
        known.sort_unstable();
        return invalid(format!("{} has no NUMA node {node}", topology.name), &format!("choose from {known:?}"));
    }
    Ok(())
}

/// The PUs of a core that get lanes.
fn usable_pus(topology: &Topology, options: &PlacementOptions, core: usize) -> Vec<u32> {
    let allowed = topology.cores[core].pus.iter().copied().filter(|pu| topology.is_pu_allowed(*pu));
    allowed.take(if options.smt { usize::MAX } else { 1 }).collect()
}

/// Every core that has an allowed PU, with its node, in the machine's order of nodes; pools without cores left out.
fn cores_by_pool(topology: &Topology, options: &PlacementOptions) -> Vec<Pool> {
    let wanted = |node: u32| options.nodes.as_ref().is_none_or(|nodes| nodes.contains(&node));
    let mut pools: Vec<Pool> =
        topology.numa_nodes.iter().map(|node| Pool { numa_node: node.os_index, cores: Vec::new() }).collect();
    for (at, core) in topology.cores.iter().enumerate() {
        if usable_pus(topology, options, at).is_empty() {
            continue;
        }
        let local = core.numa_nodes.iter().filter(|node| wanted(**node)).filter_map(|node| topology.numa_node(*node));
        // A core that no node claims still counts: it works for the node nearest to it.
        let adopted = if core.numa_nodes.is_empty() { memory::adopting_node(topology, core) } else { None };
        let home = topology.home_node(local).or(adopted.filter(|node| wanted(*node)));
        if let Some(pool) = pools.iter_mut().find(|pool| Some(pool.numa_node) == home) {
            pool.cores.push(at);
        }
    }
    pools.retain(|pool| !pool.cores.is_empty());
    pools
}

fn no_cores(topology: &Topology, options: &PlacementOptions) -> Error {
    match &options.nodes {
        Some(nodes) if !topology.allowed.pus.is_empty() => Error::new(
            Code::NoCores,
            format!("the NUMA nodes {nodes:?} of {} have no core that this process may use", topology.name),
            "choose nodes with CPUs, inside the process's cpuset",
        ),
        _ => Error::new(
            Code::NoCores,
            format!("{} has no core that this process may use", topology.name),
            "allow the process at least one CPU (taskset, the cgroup's cpuset, the batch job's binding)",
        ),
    }
}
