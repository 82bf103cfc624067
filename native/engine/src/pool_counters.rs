//! Counters of lanes merged per pool, with histograms as differences: the same for tasks and for traffic. Must never know what
//! was counted, and never waits for a lane.

use crate::counters::{Counts, LaneCell};
use crate::histogram::{Differences, SparseHistogram};

/// What the lanes of one pool did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolCounters {
    /// OS index of the pool's NUMA node.
    pub numa_node: u32,
    /// Lanes of the pool that take part.
    pub lanes: usize,
    /// Cumulative.
    pub counts: Counts,
    /// The most blocks that one of its lanes had in flight at once.
    pub greatest_in_flight: u64,
    /// Service times of successful operations since the snapshot before.
    pub latency: SparseHistogram,
}

/// What earlier snapshots gave out, per pool.
pub(crate) struct Given(Vec<Differences>);

impl Given {
    pub(crate) fn new(pools: usize) -> Self {
        Self((0..pools).map(|_| Differences::default()).collect())
    }

    /// The pools of these NUMA nodes. `lanes` are those that take part: each with its pool, and once it has counters these and what
    /// they say.
    pub(crate) fn next(
        &mut self,
        numa_nodes: &[u32],
        lanes: &[(usize, Option<(&LaneCell, Counts)>)],
    ) -> Vec<PoolCounters> {
        let merged = |(pool, (numa_node, differences)): (usize, (&u32, &mut Differences))| {
            let of_pool = lanes.iter().filter(|(of, _)| *of == pool);
            let cells = of_pool.clone().filter_map(|(_, cell)| *cell);
            let (mut counts, mut greatest_in_flight) = (Counts::default(), 0);
            for (cell, of_lane) in cells.clone() {
                counts += of_lane;
                greatest_in_flight = greatest_in_flight.max(cell.greatest_in_flight.get());
            }
            let latency = differences.next(cells.map(|(cell, _)| &cell.latency));
            PoolCounters { numa_node: *numa_node, lanes: of_pool.count(), counts, greatest_in_flight, latency }
        };
        std::iter::zip(numa_nodes, &mut self.0).enumerate().map(merged).collect()
    }
}
