//! A choice among an engine's lanes. Knows neither threads nor what the lanes are chosen for.

use std::ops::Range;
use std::sync::Arc;

use crate::error::{Code, Error, Result};
use crate::placement::Placement;

/// Which of an engine's lanes take part in a job; never none. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Lanes(
    /// Their numbers, rising; `None`: all of them.
    Option<Arc<[usize]>>,
);

impl Lanes {
    /// All of them.
    pub fn all() -> Self {
        Self(None)
    }

    /// At most `max` lanes, of one NUMA node (by OS index) or of all; of all nodes about as many each.
    ///
    /// # Errors
    /// `InvalidArgument` when no lane is left.
    pub fn of(placement: &Placement, node: Option<u32>, max: Option<usize>) -> Result<Self> {
        let pools = || placement.pools.iter().filter(|pool| node.is_none_or(|node| node == pool.numa_node));
        let most = pools().map(|pool| pool.lanes.len()).max().unwrap_or(0);
        // The first lane of each pool, then the second of each, and so on.
        let in_turn = (0..most).flat_map(|nth| pools().filter_map(move |pool| pool.lanes.get(nth)));
        let chosen: Vec<_> = in_turn.take(max.unwrap_or(usize::MAX)).map(|lane| lane.index).collect();
        if chosen.is_empty() {
            let nodes: Vec<_> = placement.pools.iter().map(|pool| pool.numa_node.to_string()).collect();
            let mend = format!("use at least one lane of these NUMA nodes: {}", nodes.join(", "));
            return Err(Error::new(Code::InvalidArgument, "no lane is left to do the work", mend));
        }
        Ok(Self::numbered(chosen, placement))
    }

    /// The lanes of these numbers: at least one, none twice, in any order.
    pub(crate) fn numbered(mut chosen: Vec<usize>, placement: &Placement) -> Self {
        chosen.sort_unstable();
        Self((chosen.len() < placement.lane_count()).then(|| chosen.into()))
    }

    /// How many these are, of an engine that has `all`.
    pub(crate) fn count(&self, all: usize) -> usize {
        self.0.as_ref().map_or(all, |chosen| chosen.len())
    }

    /// The number of the nth of them.
    pub(crate) fn nth(&self, nth: usize) -> usize {
        self.0.as_ref().map_or(nth, |chosen| chosen[nth])
    }

    /// Those that have numbers in this range, of an engine that has all of it.
    pub(crate) fn within(&self, numbers: Range<usize>) -> impl ExactSizeIterator<Item = usize> {
        let nths = match &self.0 {
            None => numbers,
            Some(chosen) => {
                let nth_from = |number| chosen.partition_point(|lane| *lane < number);
                nth_from(numbers.start)..nth_from(numbers.end)
            }
        };
        nths.map(|nth| self.nth(nth))
    }

    /// Whether an engine that has `all` has these.
    pub(crate) fn are_among(&self, all: usize) -> bool {
        self.0.as_ref().is_none_or(|chosen| chosen.last().is_some_and(|last| *last < all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::{PlacementOptions, place};
    use crate::topology::{Topology, TopologySource};

    fn lanes_of(node: Option<u32>, max: Option<usize>) -> Result<Vec<usize>> {
        let topology = Topology::load(&TopologySource::Synthetic("numanode:2 core:3 pu:1".into())).unwrap();
        let placement = place(&topology, &PlacementOptions::default()).unwrap();
        let lanes = Lanes::of(&placement, node, max)?;
        Ok((0..lanes.count(6)).map(|nth| lanes.nth(nth)).collect())
    }

    #[test]
    fn lanes_are_those_of_the_node_and_spread_over_nodes() {
        assert_eq!(lanes_of(None, None).unwrap(), [0, 1, 2, 3, 4, 5]);
        assert_eq!(lanes_of(Some(1), None).unwrap(), [3, 4, 5]);
        assert_eq!(lanes_of(Some(0), Some(2)).unwrap(), [0, 1]);
        assert_eq!(lanes_of(None, Some(3)).unwrap(), [0, 1, 3]);
        assert_eq!(lanes_of(None, Some(99)).unwrap(), [0, 1, 2, 3, 4, 5]);
        assert_eq!(lanes_of(Some(2), None).unwrap_err().code, Code::InvalidArgument);
        assert_eq!(lanes_of(None, Some(0)).unwrap_err().code, Code::InvalidArgument);
    }
}
