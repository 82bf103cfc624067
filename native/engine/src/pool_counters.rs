//! Counters of lanes merged per pool, with histograms as differences: the same for tasks and for traffic. Must never know what
//! was counted, and never waits for a lane.

use crate::classes::Class;
use crate::counters::{ClassCell, Counts, LaneCell};
use crate::cpu::CpuTime;
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
    /// CPU time of the lanes' threads.
    pub cpu: CpuTime,
    /// The same by class of operations, those that there were.
    pub classes: Vec<ClassCounters>,
}

/// What the lanes of one pool did of one class of operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassCounters {
    /// Which operations.
    pub class: Class,
    /// How many came back without an error. Cumulative.
    pub operations: u64,
    /// Their bytes. Cumulative.
    pub bytes: u64,
    /// How many failed. Cumulative.
    pub errors: u64,
    /// Service times of successful operations since the snapshot before.
    pub service: SparseHistogram,
    /// Their times from the instants at which they were to begin, likewise. `None` where there was no rate to keep.
    pub response: Option<SparseHistogram>,
}

impl PoolCounters {
    /// How many operations were timed since the snapshot before: all that were counted.
    pub fn timed(&self) -> u64 {
        self.of_operations().map(|of| of.service.count()).sum()
    }

    /// The longest service time since the beginning, in ns.
    pub fn slowest_ns(&self) -> u64 {
        self.of_operations().map(|of| of.service.max_ns).max().unwrap_or(0)
    }

    fn of_operations(&self) -> impl Iterator<Item = &ClassCounters> {
        self.classes.iter().filter(|of| !of.class.operation.is_part())
    }
}

/// What earlier snapshots gave out of one pool, by class.
type OfPool = Vec<Option<Box<OfClass>>>;

#[derive(Default)]
struct OfClass {
    service: Differences,
    response: Option<Differences>,
}

/// What earlier snapshots gave out, per pool.
pub(crate) struct Given(Vec<OfPool>);

impl Given {
    pub(crate) fn new(pools: usize) -> Self {
        Self((0..pools).map(|_| (0..Class::COUNT).map(|_| None).collect()).collect())
    }

    /// The pools of these NUMA nodes. `lanes` are those that take part: each with its pool, and once it has counters these and what
    /// they say.
    pub(crate) fn next(
        &mut self,
        numa_nodes: &[u32],
        lanes: &[(usize, Option<(&LaneCell, Counts)>)],
    ) -> Vec<PoolCounters> {
        let merged = |(pool, (numa_node, given)): (usize, (&u32, &mut OfPool))| {
            let of_pool = lanes.iter().filter(|(of, _)| *of == pool);
            let cells: Vec<&LaneCell> = of_pool.clone().filter_map(|(_, cell)| cell.map(|(cell, _)| cell)).collect();
            let (mut counts, mut greatest_in_flight, mut cpu) = (Counts::default(), 0, CpuTime::default());
            for (cell, of_lane) in of_pool.clone().filter_map(|(_, cell)| *cell) {
                counts += of_lane;
                greatest_in_flight = greatest_in_flight.max(cell.greatest_in_flight.get());
                cpu += cell.cpu.read();
            }
            let classes = given.iter_mut().enumerate().filter_map(|(at, given)| class_of_pool(&cells, at, given));
            let classes = classes.collect();
            PoolCounters { numa_node: *numa_node, lanes: of_pool.count(), counts, greatest_in_flight, cpu, classes }
        };
        std::iter::zip(numa_nodes, &mut self.0).enumerate().map(merged).collect()
    }
}

/// The class of this index over a pool's lanes, once there was something of it.
fn class_of_pool(cells: &[&LaneCell], at: usize, given: &mut Option<Box<OfClass>>) -> Option<ClassCounters> {
    let of_lanes = cells.iter().filter_map(|cell| cell.classes.at(at));
    let sum = |of: fn(&ClassCell) -> u64| of_lanes.clone().map(of).sum();
    let (operations, errors): (u64, u64) = (sum(|of| of.operations.get()), sum(|of| of.errors.get()));
    if operations == 0 && errors == 0 {
        return None;
    }
    let given = given.get_or_insert_default();
    let mut responses = of_lanes.clone().filter_map(|of| of.response.get().map(|response| &**response)).peekable();
    let is_paced = responses.peek().is_some();
    Some(ClassCounters {
        class: Class::at(at),
        operations,
        bytes: sum(|of| of.bytes.get()),
        errors,
        service: given.service.next(of_lanes.clone().map(|of| &of.service)),
        response: is_paced.then(|| given.response.get_or_insert_default().next(responses)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classes::OperationKind;

    #[test]
    fn operations_of_several_classes_are_told_apart_and_each_once() {
        let (a, b) = (LaneCell::default(), LaneCell::default());
        let (small, large) = (Class::of(OperationKind::Write, 4096), Class::of(OperationKind::Write, 1 << 20));
        a.count(small, 10, 4096);
        a.count(large, 1000, 1 << 20);
        b.count(small, 20, 4096);
        b.count_error(Class::of(OperationKind::Stat, 0));
        let mut given = Given::new(1);
        let mut next = || {
            let lanes = [&a, &b].map(|cell| (0, Some((cell, cell.counters.read()))));
            given.next(&[0], &lanes).remove(0)
        };
        let first = next();
        let told: Vec<_> =
            first.classes.iter().map(|of| (of.class, of.operations, of.errors, of.service.count())).collect();
        assert_eq!(told, [(small, 2, 0, 2), (large, 1, 0, 1), (Class::of(OperationKind::Stat, 0), 0, 1, 0)]);
        assert_eq!((first.counts.operations, first.counts.errors, first.slowest_ns()), (3, 1, 1000));
        b.count(large, 5, 1 << 20);
        let second = next();
        let told: Vec<_> = second.classes.iter().map(|of| (of.operations, of.service.count())).collect();
        assert_eq!(told, [(2, 0), (2, 1), (0, 0)], "counts rise, histograms tell what is new");
    }
}
